import type { Mount } from '@holm/core'
import { expect, it } from 'vitest'
import { mountedFolder } from './folder.ts'

const bind = (source: string, target: string): Mount => ({ type: 'bind', source, target, readonly: false })
const rootOf = (workdir: string | undefined, ...mounts: readonly Mount[]): string | undefined =>
  mountedFolder({ workdir, mounts })?.root.path

it('is what is mounted at the folder of the environment', () => {
  const project = bind('/home/ada/shop', '/workspace')
  expect(rootOf('/workspace', bind('/data', '/data'), project)).toBe('/home/ada/shop')
  expect(rootOf('/workspace/', project)).toBe('/home/ada/shop')
  expect(rootOf('/workspace', bind('/x', '/'), project)).toBe('/home/ada/shop')
})

it('is inside where it is not that mount alone', () => {
  const project = bind('/home/ada/shop', '/workspace')
  expect(rootOf('/srv', project)).toBeUndefined()
  expect(rootOf('/workspace-two', project)).toBeUndefined()
  expect(rootOf(undefined, project)).toBeUndefined()
  // A link that somebody inside made could be in the way from the mount to the folder.
  expect(rootOf('/workspace/app', project)).toBeUndefined()
  expect(rootOf('/workspace', bind('/x', '/'))).toBeUndefined()
  expect(rootOf('/workspace', { type: 'volume', target: '/workspace', readonly: false })).toBeUndefined()
})
