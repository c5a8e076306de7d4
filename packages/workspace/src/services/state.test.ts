import type { ServiceSpec } from '@holm/core'
import { expect, it } from 'vitest'
import { publishedUrl } from './health.ts'
import { parseListening, parseLook } from './state.ts'

const service = (name: string): ServiceSpec => ({
  name,
  command: { argv: ['true'] },
  env: {},
  ports: [],
  dependsOn: [],
  restart: 'no',
})

it('reads what supervisors said last, in the order of the blueprint', () => {
  const output = [
    'web alive running 0 2 44',
    'db gone running 0 0 41',
    'task gone exited 3 0 ',
    'late alive waiting 1 5 ',
    'odd gone ',
    '',
  ].join('\n')
  expect(parseLook(output, ['task', 'db', 'web', 'late', 'odd', 'never'].map(service))).toEqual([
    { name: 'task', state: 'exited', exitCode: 3, restarts: 0 },
    // Said to run, and nobody is there who could know: the environment was started again.
    { name: 'db', state: 'stopped', exitCode: undefined, restarts: 0 },
    { name: 'web', state: 'running', exitCode: undefined, restarts: 2 },
    { name: 'late', state: 'waiting', exitCode: 1, restarts: 5 },
    { name: 'odd', state: 'stopped', exitCode: undefined, restarts: 0 },
    { name: 'never', state: 'stopped', exitCode: undefined, restarts: 0 },
  ])
})

it('reads the ports that something listens on', () => {
  expect([...parseListening('1F90\n0016\n\nnonsense\n')]).toEqual([8080, 22])
})

it('finds where a port inside is reached from here', () => {
  const ports = [{ container: 3000, host: 32801, hostIp: '127.0.0.1', protocol: 'tcp' as const }]
  expect(publishedUrl('http://localhost:3000/health?x=1', { ports })).toBe(
    'http://127.0.0.1:32801/health?x=1',
  )
  expect(publishedUrl('http://localhost:3001/', { ports })).toBeUndefined()
  expect(publishedUrl('http://db:3000/', { ports })).toBeUndefined()
})
