import type { CompanionInfo, ServiceSpec } from '@holm/core'
import { expect, it } from 'vitest'
import { publishedUrl } from './health.ts'
import { companionStatus, parseListening, parseLook } from './state.ts'

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

const [before, since, after] = [
  '2026-01-01T00:00:00.000Z',
  '2026-01-01T00:00:01.000Z',
  '2026-01-01T00:00:02.000Z',
]

interface Case {
  readonly what: string
  readonly given: Partial<CompanionInfo> | { readonly exitCode: undefined; readonly startedAt: undefined }
  readonly restart?: ServiceSpec['restart']
  readonly state: string
}

it.each<Case>([
  { what: 'runs', given: { status: 'running' }, state: 'running' },
  { what: 'is paused', given: { status: 'paused' }, state: 'running' },
  { what: 'ended well', given: { exitCode: 0 }, state: 'exited' },
  { what: 'ended badly', given: { status: 'failed', exitCode: 3 }, state: 'exited' },
  {
    what: 'ended well and is only started again when it fails',
    given: { exitCode: 0 },
    restart: 'on-failure',
    state: 'exited',
  },
  {
    what: 'is about to be started again',
    given: { status: 'failed', exitCode: 3 },
    restart: 'on-failure',
    state: 'waiting',
  },
  {
    what: 'ended well and is always started again',
    given: { exitCode: 0 },
    restart: 'always',
    state: 'waiting',
  },
  { what: 'was stopped', given: { exitCode: 0, halted: true }, state: 'stopped' },
  {
    what: 'ended before its environment was started again',
    given: { exitCode: 0, startedAt: before },
    state: 'stopped',
  },
  {
    what: 'was made and never started',
    given: { exitCode: undefined, startedAt: undefined },
    state: 'stopped',
  },
])('a service beside its environment that $what', ({ given, restart = 'no', state }) => {
  const info = {
    status: 'stopped',
    halted: false,
    restarts: 1,
    startedAt: after,
    exitCode: undefined,
    ...given,
  }
  expect(companionStatus({ ...service('db'), restart }, info as CompanionInfo, since)).toMatchObject({
    name: 'db',
    state,
    restarts: 1,
  })
})

it('one that was never made is stopped', () => {
  expect(companionStatus(service('db'), undefined, since)).toMatchObject({ state: 'stopped', restarts: 0 })
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
