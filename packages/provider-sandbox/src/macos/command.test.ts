import { tmpdir } from 'node:os'
import { describe, expect, it } from 'vitest'
import type { SandboxRecord } from '../record.ts'
import { seatbeltCommand } from './command.ts'

const here = tmpdir()
const record: SandboxRecord = {
  version: 1,
  name: 'e',
  status: 'ready',
  creator: { pid: 1, start: '', bootId: '' },
  createdAt: '',
  labels: {},
  backend: 'seatbelt',
  layer: 'none',
  caller: { uid: 501, gid: 20, name: 'ann', home: '/Users/ann' },
  base: { kind: 'host' },
  hostname: 'box',
  env: { BASH_ENV: '/evil', PATH: '/mine' },
  mounts: [],
  ports: [],
  network: 'default',
  resources: {},
  security: { privileged: false, capAdd: [], capDrop: [], securityOpt: [], devices: [] },
}
const places = [{ target: '/Users/ann', path: here, readonly: false, own: true, fleeting: false }]
const command = (request: { argv: string[]; cwd?: string; user?: string }) =>
  seatbeltCommand(record, { request, places, folder: '/d/e', sandboxExec: '/usr/bin/sandbox-exec' })

describe('seatbeltCommand', () => {
  it('notes itself, then is confined, then becomes the program', () => {
    const { argv } = command({ argv: ['make', 'a b'] })
    expect(argv.slice(4, 7)).toEqual(['/d/e/processes', '/usr/bin/sandbox-exec', '-p'])
    expect(argv[7]).toMatch(/^\(version 1\)/)
    expect(argv[8]).toBe('/bin/sh')
    expect(argv.slice(-2)).toEqual(['make', 'a b'])
  })
  it('hides variables from what runs before it is confined', () => {
    const { env } = command({ argv: ['true'] })
    expect(Object.keys(env).filter((name) => !/^HOLM_V\d+$/.test(name))).toEqual(['PATH'])
    expect(env['PATH']).not.toBe('/mine')
    expect(Object.values(env)).toEqual(expect.arrayContaining(['BASH_ENV=/evil', 'PATH=/mine', 'USER=ann']))
  })
  it('refuses a folder that is not there, and another user', () => {
    for (const request of [{ cwd: '/Users/ann/no-such-folder' }, { user: '0' }]) {
      expect(() => command({ argv: ['true'], ...request })).toThrow(
        expect.objectContaining({ code: 'HOLM_USAGE' }),
      )
    }
  })
})
