import { isHolmError } from '@holm/core'
import { describe, expect, it } from 'vitest'
import { missingProgram } from './exec-missing.ts'
import { explain, parseFailure } from './failure.ts'
import { mergeEnv } from './image-config.ts'
import { layerFolders } from './layers.ts'
import { parseGroups, parseSample } from './metrics.ts'
import { mountsBelow } from './mounted.ts'
import { identifier } from './names.ts'
import { parseState } from './record.ts'
import type { StateInput } from './record.ts'
import { parseUser } from './users.ts'

const files = {
  passwd: 'root:x:0:0::/root:/bin/sh\ndev:x:1000:1001::/home/dev:/bin/sh\n',
  group: 'root:x:0:\ndev:x:1001:\nextra:x:7:dev,other\n',
}

describe('users', () => {
  it.each([
    ['dev', { uid: 1000, gid: 1001, additionalGids: [7], home: '/home/dev' }],
    ['1000', { uid: 1000, gid: 1001, additionalGids: [7], home: '/home/dev' }],
    ['dev:extra', { uid: 1000, gid: 7, additionalGids: [], home: '/home/dev' }],
    ['65534', { uid: 65534, gid: 0, additionalGids: [], home: '/' }],
    ['5:6', { uid: 5, gid: 6, additionalGids: [], home: '/' }],
  ])('%s', (wanted, user) => expect(parseUser(wanted, files)).toEqual(user))

  it('that nobody knows are none', () => {
    expect(parseUser('nobody-here', files)).toBeUndefined()
    expect(parseUser('dev:no-group', files)).toBeUndefined()
  })
})

describe('a program that cannot be started', () => {
  const failed = (reason: string): string =>
    `OCI runtime exec failed: exec failed: unable to start container process: ${reason}: unknown`

  it('is told as a shell would', () => {
    expect(missingProgram(failed('exec: "x": executable file not found in $PATH'))).toEqual({
      code: 127,
      message: 'holm: exec: "x": executable file not found in $PATH\n',
    })
    expect(missingProgram(failed('exec: "./x": permission denied'))?.code).toBe(126)
    expect(
      missingProgram(failed('chdir to cwd ("/no") set in config.json failed: no such file or directory'))
        ?.code,
    ).toBe(126)
    expect(missingProgram('connection refused')).toBeUndefined()
  })
})

describe('failures', () => {
  const status = (code: number, details: string): Error => Object.assign(new Error('x'), { code, details })
  const context = { action: 'do it', address: '/run/c.sock', environment: 'e' }

  it.each([
    [status(5, 'container "e": not found'), 'HOLM_ENVIRONMENT_NOT_FOUND'],
    [status(14, 'connect ENOENT'), 'HOLM_PROVIDER_UNAVAILABLE'],
    [status(4, 'late'), 'HOLM_TIMEOUT'],
    [status(2, 'context deadline exceeded: unknown'), 'HOLM_TIMEOUT'],
    [status(2, 'write: no space left on device'), 'HOLM_DISK_FULL'],
    [status(9, 'container is paused'), 'HOLM_ENVIRONMENT_NOT_RUNNING'],
    [status(2, 'anything'), 'HOLM_ENVIRONMENT_FAILED'],
  ] as const)('%s is %s', (error, code) => {
    const told = explain(error, context)
    expect(isHolmError(told, code)).toBe(true)
    expect(told.hint).not.toBe('')
  })

  it('tell whether containerd was there: what was asked of it may have been done', () => {
    const refused = status(14, 'connect ECONNREFUSED /c.sock')
    expect(explain(refused, context).details).toMatchObject({ lost: false })
    expect(explain(refused, { ...context, lost: true }).details).toMatchObject({ lost: true })
    expect(explain(status(14, 'read ECONNRESET'), context).details).toMatchObject({ lost: true })
  })

  it('are told in one line', () => {
    expect(parseFailure(status(5, 'a\n  b')).message).toBe('a b')
    const refused =
      'No connection established. Last error: Error: connect ECONNREFUSED /a.b/c.sock. Resolution note: '
    expect(parseFailure(status(14, refused)).message).toBe('connect ECONNREFUSED /a.b/c.sock')
  })
})

describe('states', () => {
  const input = (task: Partial<NonNullable<StateInput['task']>> | undefined): StateInput =>
    ({
      container: { id: 'c', createdAt: { seconds: 1, nanos: 0 } },
      record: {
        name: 'e',
        labels: { a: 'b' },
        attempt: 'x',
        user: '',
        limits: { pids: 5 },
        enforcers: { pids: 'p' },
      },
      task: task && { exitStatus: 0, ...task },
      run: {
        startedAt: '2026-01-01T00:00:00.000Z',
        ports: [{ container: 1, host: 2, hostIp: '127.0.0.1', protocol: 'tcp' }],
      },
    }) as unknown as StateInput

  it('follow the task', () => {
    const of = (task: Parameters<typeof input>[0]): string => parseState(input(task)).status
    expect([
      of(undefined),
      of({ status: 'RUNNING' }),
      of({ status: 'PAUSED' }),
      of({ status: 'CREATED' }),
      of({ status: 'STOPPED', exitStatus: 143 }),
      of({ status: 'STOPPED', exitStatus: 139 }),
    ]).toEqual(['stopped', 'running', 'paused', 'creating', 'stopped', 'failed'])
  })

  it('have ports and a start only while it runs', () => {
    expect(parseState(input({ status: 'RUNNING' }))).toMatchObject({
      ports: [{ host: 2 }],
      startedAt: /./,
    } as never)
    expect(parseState(input({ status: 'STOPPED', exitStatus: 139 }))).toMatchObject({
      ports: [],
      reason: 'the main process ended with exit code 139',
      limits: [{ name: 'pids', value: 5, enforcedBy: 'p' }],
    })
  })
})

it('makes identifiers that containerd takes, and different ones of different names', () => {
  expect(identifier('plain-1')).toBe('plain-1')
  const odd = ['a-1--b', 'a-1---b', '-a', 'a-'].map(identifier)
  expect(new Set(odd).size).toBe(4)
  for (const id of odd) expect(id).toMatch(/^[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$/)
})

it('reads layers from the top down', () => {
  const options = ['workdir=/w', 'upperdir=/u', 'lowerdir=/b:/a']
  expect(layerFolders([{ type: 'overlay', source: 'overlay', options }])).toEqual(['/u', '/b', '/a'])
  expect(layerFolders([{ type: 'bind', source: '/s', options: ['rbind'] }])).toEqual(['/s'])
})

it('merges variables', () => {
  expect(mergeEnv(['A=1', 'B=x=y'], { A: '2', C: 'line\n' })).toEqual(['B=x=y', 'A=2', 'C=line\n'])
})

it('measures between two readings', () => {
  const before = { at: 0, cpuNs: 0, memoryBytes: 1, processes: 1 }
  const after = { at: 100, cpuNs: 50e6, memoryBytes: 5, processes: 2 }
  expect(parseSample(before, after, 9)).toEqual({
    cpuPercent: 50,
    memoryBytes: 5,
    memoryLimitBytes: 9,
    processes: 2,
  })
  const groups = parseGroups('4:cpu,cpuacct:/holm-x\n0::/unified\n')
  expect([groups('cpuacct'), groups('memory')]).toEqual([
    '/sys/fs/cgroup/cpuacct/holm-x',
    '/sys/fs/cgroup/unified',
  ])
})

it('finds mounts below a folder, whatever its name has in it', () => {
  const line = (point: string): string => `36 35 0:32 / ${point} rw,relatime shared:1 - overlay overlay rw`
  // As the kernel writes them: bytes, with spaces in octal.
  const info = [line('/a\\040b/m'), line('/a\\040bc'), line('/a\\040b'), line('/\u00c3\u00bc/x')].join('\n')
  expect(mountsBelow(info, '/a b')).toEqual(['/a b/m'])
  expect(mountsBelow(info, '/ü')).toEqual(['/ü/x'])
})
