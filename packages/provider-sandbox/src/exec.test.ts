import { describe, expect, it } from 'vitest'
import type { ExecRequest } from '@holm/core'
import { entryArgv, entryEnvironment, resolveUser } from './exec.ts'
import type { Holder, SandboxRecord } from './record.ts'

const identity = (pid: number) => ({ pid, start: '1', bootId: 'b' })
const holder: Holder = {
  init: identity(30),
  monitor: identity(10),
  anchor: identity(20),
  startedAt: '',
  limits: [],
  cgroups: [],
}
const record: SandboxRecord = {
  version: 1,
  name: 'e',
  status: 'ready',
  creator: identity(1),
  createdAt: '',
  labels: {},
  backend: 'bwrap',
  layer: 'none',
  holder,
  caller: { uid: 1000, gid: 1000, name: 'ann', home: '/home/ann' },
  base: { kind: 'host' },
  hostname: 'box',
  env: { KEEP: 'spec', BOTH: 'spec' },
  mounts: [],
  ports: [],
  network: 'default',
  resources: {},
  security: { privileged: false, capAdd: [], capDrop: [], securityOpt: [], devices: [] },
}
const account = { name: 'ann', uid: 1000, gid: 1000, home: '/home/ann', shell: '/bin/sh' }
const words = (request: Partial<ExecRequest>, change: Partial<SandboxRecord> = {}): string[] =>
  entryArgv({ ...record, ...change }, holder, {
    account,
    folder: '/d/e',
    request: { argv: ['true'], ...request },
  })

describe('entryArgv', () => {
  it('goes through the outer user namespace without root', () => {
    expect(words({}).slice(0, 19)).toEqual([
      'setpriv',
      '--no-new-privs',
      'nsenter',
      '--user=/proc/10/ns/user',
      '--preserve-credentials',
      '--target',
      '30',
      '--pid',
      '--ipc',
      '--uts',
      '--',
      'setsid',
      'nsenter',
      '--mount=/proc/30/ns/mnt',
      '--user=/proc/20/ns/user',
      '--preserve-credentials',
      '--',
      '/bin/sh',
      '-c',
    ])
  })
  it('sets ids as root', () => {
    const argv = words({}, { caller: { uid: 0, gid: 0, name: 'root', home: '/root' } })
    expect(argv).toEqual(expect.arrayContaining(['--setuid', '1000', '--setgid']))
    expect(argv).not.toContain('--user=/proc/10/ns/user')
  })
  it('enters a network of its own only where there is one', () => {
    expect([words({}).includes('--net'), words({}, { network: 'none' }).includes('--net')]).toEqual([
      false,
      true,
    ])
  })
  it('enters the outer user namespace once, for the terminal, and keeps its session', () => {
    const argv = words({ pty: { cols: 1, rows: 1 } })
    const command = argv.at(-1) ?? ''
    expect(argv.filter((word) => word === '--user=/proc/10/ns/user')).toHaveLength(1)
    expect(command).toMatch(/^exec 'env' .* '--user=\/proc\/20\/ns\/user' /)
    expect(command).not.toMatch(/'setsid'|ns\/user' .*\/proc\/10\/|chown/)
    expect(argv).toContain('/d/e/pts')
  })
  it('gives a terminal to the user of the program', () => {
    const argv = words(
      { pty: { cols: 1, rows: 1 } },
      { caller: { uid: 0, gid: 0, name: 'root', home: '/root' } },
    )
    expect(argv.at(-1)).toMatch(/^chown 1000 \/proc\/self\/fd\/0; exec /)
  })
  it('passes arguments as they are', () => {
    expect(words({ argv: ['a b', `it's`, '$HOME'], cwd: '/w' }).slice(-4)).toEqual([
      '/w',
      'a b',
      `it's`,
      '$HOME',
    ])
  })
})

it('hides variables from the tools of this machine', () => {
  const env = entryEnvironment(
    record,
    { account, request: { argv: ['x'], env: { LD_PRELOAD: '/evil.so', BOTH: 'call' } } },
    '/bin',
  )
  expect(Object.keys(env).filter((name) => !/^HOLM_V\d+$/.test(name))).toEqual(['PATH'])
  expect(Object.values(env)).toEqual(
    expect.arrayContaining(['LD_PRELOAD=/evil.so', 'BOTH=call', 'KEEP=spec', 'HOSTNAME=box']),
  )
})

describe('resolveUser', () => {
  it('is the caller with the files of this machine', () =>
    expect(resolveUser(record, ['/'])).toMatchObject({ name: 'ann', uid: 1000 }))
  it('refuses a second user without root', () => {
    expect(() => resolveUser(record, ['/'], '0')).toThrow(expect.objectContaining({ code: 'HOLM_USAGE' }))
  })
})
