import { expect, it } from 'vitest'
import { decodeSnapshot, encodeSnapshot, instanceName, volumeName } from './names.ts'

it('names are ones that the daemon takes, and never the same for two environments', () => {
  const names = [
    ['holm', 'box'],
    ['holm', '0'],
    ['holm', 'ends-'],
    ['holm', 'n'.repeat(40)],
    ['1 strange/Namespace ünï', 'box'],
    ['holm-box', 'box'],
    ['', 'box'],
  ].map(([namespace = '', name = '']) => instanceName(namespace, name))
  for (const name of names) expect(name).toMatch(/^[a-z][a-z0-9-]{0,61}[a-z0-9]$/)
  expect(new Set(names).size).toBe(names.length)
  expect(instanceName('a', 'b-c')).not.toBe(instanceName('a-b', 'c'))
})

it('a volume with a name is shared in its namespace, one without is the environment’s own', () => {
  const named = volumeName('holm', { name: 'one', index: 0, source: 'data' })
  expect(volumeName('holm', { name: 'two', index: 3, source: 'data' })).toBe(named)
  expect(volumeName('other', { name: 'one', index: 0, source: 'data' })).not.toBe(named)
  const own = [volumeName('holm', { name: 'one', index: 0 }), volumeName('holm', { name: 'one', index: 1 })]
  expect(new Set([...own, volumeName('holm', { name: 'two', index: 0 })]).size).toBe(3)
})

it('names of snapshots come back as they were', () => {
  for (const name of [
    'a',
    'before-upgrade_2',
    'with space',
    'ünï ✓',
    'x-looks-encoded',
    '../up',
    'a/b',
    '-dash',
  ])
    expect(decodeSnapshot(encodeSnapshot(name))).toBe(name)
  expect(encodeSnapshot('plain')).toBe('plain')
  expect(encodeSnapshot('../up')).toMatch(/^x-[0-9a-f]+$/)
})
