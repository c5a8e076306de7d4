import { expect, it } from 'vitest'
import { findSocket } from './socket.ts'

const there =
  (...files: string[]) =>
  (file: string): boolean =>
    files.includes(file)

it('takes the place that is named, and no other', () => {
  const exists = there('/x/unix.socket', '/var/lib/lxd/unix.socket')
  expect(findSocket({ env: { LXD_DIR: '/x' }, exists })).toEqual({ path: '/x/unix.socket', from: 'LXD_DIR' })
  expect(findSocket({ env: { INCUS_SOCKET: '/gone' }, exists })).toBeUndefined()
  expect(findSocket({ env: { INCUS_SOCKET: '' }, exists })?.path).toBe('/var/lib/lxd/unix.socket')
  expect(findSocket({ env: { LXD_DIR: '/x' }, configured: '/var/lib/lxd/unix.socket', exists })?.from).toBe(
    'the configuration',
  )
})

it('looks where the daemons listen, Incus first', () => {
  const all = [
    '/var/lib/lxd/unix.socket',
    '/var/snap/lxd/common/lxd/unix.socket',
    '/var/lib/incus/unix.socket',
  ]
  expect(findSocket({ env: {}, exists: there(...all) })?.from).toBe('Incus')
  expect(findSocket({ env: {}, exists: there(...all.slice(0, 2)) })?.from).toBe('LXD (snap)')
  expect(findSocket({ env: {}, exists: there() })).toBeUndefined()
})
