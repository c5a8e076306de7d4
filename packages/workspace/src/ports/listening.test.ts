import { expect, it } from 'vitest'
import { parseLook, portsOf, unowned } from './listening.ts'
import { parseWishes } from './wish.ts'

const lines = [
  'net net:[4026532001]',
  'socket 00000000:0BB8 1000 71',
  'socket 00000000000000000000000001000000:0BB8 1000 72',
  'socket 0100007F:1538 0 73',
  'socket 0100007F:0016 33 74',
  'owner 71 40 node',
  'owner 71 12 npm run dev',
  'owner 73 9 postgres: main',
]

it('reads what listens, and who it is', () => {
  const look = parseLook(lines)
  expect(look.network).toBe('net:[4026532001]')
  expect(unowned(look).map(({ inode }) => inode)).toEqual(['72', '74'])
  const owned = [
    { port: 3000, process: 'npm run dev', pid: 12 },
    { port: 5432, process: 'postgres: main', pid: 9 },
  ]
  expect(portsOf(look, false)).toEqual([{ port: 22, process: undefined, pid: undefined }, ...owned])
  // In a network that this machine shares, what nobody inside has is somebody else's.
  expect(portsOf(look, true)).toEqual(owned)
})

it('leaves out what is no line of the kernel', () => {
  const odd = [
    'socket x:1 0 1',
    'socket 0100007F:0016 0 0',
    'socket 0100007F:0016 -1 4',
    'owner a b c',
    '',
    'net',
  ]
  expect(portsOf(parseLook(odd), false)).toEqual([])
})

it('reads the ports that somebody asks for', () => {
  expect(parseWishes(['3000', '8080:80'])).toEqual([{ inside: 3000 }, { inside: 80, here: 8080 }])
  for (const wrong of ['0', '65536', '-1', '1:2:3', 'x', '', '80:', ':80', ' 80', '8080:0'])
    expect(() => parseWishes([wrong]), wrong).toThrow(expect.objectContaining({ code: 'HOLM_USAGE' }))
  expect(() => parseWishes(['80', '81:80'])).toThrow(expect.objectContaining({ details: { port: 80 } }))
})
