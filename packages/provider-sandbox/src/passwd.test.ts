import { expect, it } from 'vitest'
import { resolveAccount } from './passwd.ts'

const files = {
  passwd: 'root:x:0:0:root:/root:/bin/bash\ndev:x:1000:1001::/home/dev:/bin/sh\n',
  group: 'root:x:0:\nvideo:x:44:dev\n',
}

it.each([
  ['dev', { name: 'dev', uid: 1000, gid: 1001, home: '/home/dev' }],
  ['1000', { name: 'dev', uid: 1000, gid: 1001, home: '/home/dev' }],
  ['dev:video', { uid: 1000, gid: 44 }],
  ['dev:7', { uid: 1000, gid: 7 }],
  ['4711', { name: '4711', uid: 4711, gid: 4711, home: '/' }],
])('%s is found', (user, expected) => {
  expect(resolveAccount(user, files)).toMatchObject(expected)
})

it.each(['nobody-here', 'dev:nogroup'])('%s is refused', (user) => {
  expect(() => resolveAccount(user, files)).toThrow(expect.objectContaining({ code: 'HOLM_USAGE' }))
})
