import { readFileSync } from 'node:fs'
import type { ContainerInfo, ContainerInspectInfo, DockerVersion } from 'dockerode'
import { describe, expect, it } from 'vitest'
import { parseInspect, parseListed, parsePorts, sameLabels, specLabels } from './parse.ts'
import { parseProbe } from './probe.ts'
import { parseTakenPort } from './lifecycle.ts'
import { label } from './names.ts'

interface Recording {
  readonly inspect: ContainerInspectInfo
  readonly list: readonly ContainerInfo[]
  readonly version: DockerVersion
  readonly info: { readonly OSType: string }
}

function recorded(version: string): Recording {
  return JSON.parse(
    readFileSync(new URL(`../test/fixtures/docker-${version}.json`, import.meta.url), 'utf8'),
  ) as Recording
}

describe.each(['20.10.24', '28.5.2'])('answers of docker %s', (version) => {
  const { inspect, list, version: told, info } = recorded(version)

  it('become a running state, the same from inspect and list', () => {
    const state = parseInspect(inspect, 'rec')
    expect(state).toMatchObject({ name: 'rec', provider: 'docker', status: 'running', id: inspect.Id })
    expect(state.labels).toEqual({
      'dev.holm.namespace': 'holm-smoke',
      'dev.holm.environment': 'rec',
      'dev.holm.hash': '1',
    })
    expect(state.ports).toEqual([
      { container: 80, host: expect.any(Number), hostIp: '127.0.0.1', protocol: 'tcp' },
    ])
    expect(state.limits).toEqual([
      { name: 'memory', value: 1 << 26, enforcedBy: 'cgroup memory' },
      { name: 'pids', value: 4096, enforcedBy: 'cgroup pids' },
    ])
    // A list does not tell who runs the programs.
    const { createdAt: _, startedAt, user, ...same } = state
    expect(user).toBe('root')
    expect(list[0] && parseListed(list[0])).toMatchObject(same)
    expect(Date.parse(startedAt ?? '')).toBeGreaterThan(0)
  })

  it('tell the version', () => {
    expect(parseProbe(told, info)).toMatchObject({
      usable: true,
      version: expect.stringContaining(`Docker Engine ${version}`),
    })
    expect(parseProbe(told, { ...info, OSType: 'windows' })).toMatchObject({ usable: false })
  })

  it.each([
    [{ Status: 'created', Error: '' }, 'stopped', undefined],
    [{ Status: 'created', Error: 'driver failed' }, 'failed', 'driver failed'],
    [{ Status: 'paused' }, 'paused', undefined],
    [{ Status: 'exited', ExitCode: 143 }, 'stopped', undefined],
    [{ Status: 'exited', ExitCode: 1 }, 'failed', 'the main process ended with exit code 1'],
    [
      { Status: 'exited', ExitCode: 255 },
      'stopped',
      'it ended while the engine was away, or with exit code 255',
    ],
    [
      { Status: 'exited', ExitCode: 137, OOMKilled: true },
      'failed',
      'out of memory: the kernel killed the main process (exit code 137)',
    ],
    [{ Status: 'dead', Error: '' }, 'failed', 'the engine could not remove it'],
  ])('map %o', (change, status, reason) => {
    const state = { ...inspect.State, ExitCode: 0, OOMKilled: false, Error: '', ...change }
    const parsed = parseInspect({ ...inspect, State: state }, 'rec')
    expect([parsed.status, parsed.reason]).toEqual([status, reason])
  })

  it('map rows of a list, whose exit code is in a text', () => {
    const row = list[0] as ContainerInfo
    expect(parseListed({ ...row, State: 'exited', Status: 'Exited (3) 2 minutes ago' })).toMatchObject({
      status: 'failed',
      ports: [],
    })
    expect(parseListed({ ...row, Labels: {} })).toBeUndefined()
    const started = parseListed({ ...row, Status: 'Up About an hour (healthy)' })?.startedAt ?? ''
    expect(Math.round((Date.now() - Date.parse(started)) / 60_000)).toBe(60)
  })
})

describe('labels', () => {
  it('are the spec’s, not those of the image', () => {
    const labels = { a: '1', maintainer: 'image', [label.keys]: '["a"]', [label.name]: 'x' }
    expect(specLabels(labels)).toEqual({ a: '1' })
    expect(sameLabels({ a: '1' }, labels)).toBe(true)
    expect(sameLabels({ a: '2' }, labels)).toBe(false)
    expect(sameLabels({}, labels)).toBe(false)
    expect(sameLabels({ a: '1', maintainer: 'image' }, labels)).toBe(false)
  })
})

describe('parsePorts', () => {
  it('reads none, several and udp', () => {
    expect(parsePorts(null)).toEqual([])
    const ports = {
      '53/udp': [{ HostIp: '', HostPort: '5353' }],
      '9/tcp': [],
    } as ContainerInspectInfo['NetworkSettings']['Ports']
    expect(parsePorts(ports)).toEqual([{ container: 53, host: 5353, hostIp: '0.0.0.0', protocol: 'udp' }])
  })
})

describe('parseTakenPort', () => {
  it.each([
    [
      'driver failed programming external connectivity on endpoint x (abc): Bind for 127.0.0.1:8080 failed: port is already allocated',
      8080,
    ],
    [
      'driver failed programming external connectivity on endpoint x (abc): Error starting userland proxy: listen tcp4 127.0.0.1:8081: bind: address already in use',
      8081,
    ],
    [
      'failed to set up container networking: driver failed programming external connectivity on endpoint x (abc): failed to bind host port for 127.0.0.1:8082:172.17.0.2:80/tcp: address already in use',
      8082,
    ],
    ['rootlessport listen tcp 0.0.0.0:8083: bind: address already in use', 8083],
    ['something else: 127.0.0.1:1', undefined],
  ])('%s', (message, port) => {
    expect(parseTakenPort(message)).toBe(port)
  })
})
