import { expect, it } from 'vitest'
import { isLeaf, listInterfaces, type Interface } from './forwarding.ts'

const lo: Interface = { name: 'lo', real: false }
const card: Interface = { name: 'eth0', real: true }
const bridge: Interface = { name: 'hlxc1', real: false }
const port: Interface = { name: 'veth1', real: false, bridge: 'hlxc1' }

it.each([
  ['one card and our bridge with its ports', [lo, card, bridge, port], true],
  ['nothing but our bridge', [lo, bridge], true],
  ['a second card', [lo, card, { name: 'eth1', real: true }, bridge], false],
  ["another engine's bridge", [lo, card, bridge, { name: 'docker0', real: false }], false],
  ["a port of another's bridge", [lo, card, { name: 'veth2', real: false, bridge: 'docker0' }], false],
  ['a tunnel alone', [lo, bridge, { name: 'wg0', real: false }], false],
] as const)('with %s: %j is %s', (_what, interfaces, leaf) => {
  expect(isLeaf(interfaces, ['hlxc1'])).toBe(leaf)
})

it.runIf(process.platform === 'linux')('knows the interfaces of this machine', () => {
  expect(listInterfaces()).toContainEqual({ name: 'lo', real: false })
})
