import { describe, expect, it } from 'vitest'
import { namesOf, withNeighbours } from './neighbours.ts'
import type { Member } from './neighbours.ts'
import { hasBridge, isNamed, placeOf } from './networks.ts'

function member(name: string, address: string, more: Partial<Member['record']> = {}): Member {
  return { record: { name, hostname: name, ...more } as Member['record'], address }
}

describe('names in a network', () => {
  it('are the host name, the environment’s own and its aliases, once each', () => {
    expect(namesOf({ name: 'shop', hostname: 'web', aliases: ['web', 'www.test'] })).toEqual([
      'web',
      'shop',
      'www.test',
    ])
  })

  it('are only what can be one', () => {
    const aliases = ['a b', 'x\n203.0.113.1 bank.test', '# c', '', 'localhost', 'fine_1']
    expect(namesOf({ name: 'shop', hostname: 'shop', aliases })).toEqual(['shop', 'fine_1'])
  })

  it('are written behind what is in the file, which stays', () => {
    const own = '127.0.0.1\tlocalhost\n10.64.1.2\tweb\n'
    const one = withNeighbours(own, [
      member('b', '10.64.1.4', { hostname: 'beta' }),
      member('a', '10.64.1.3'),
    ])
    expect(one).toBe(`${own}10.64.1.3\ta\t# in this network\n10.64.1.4\tbeta b\t# in this network\n`)
    const edited = `${one}192.0.2.1\tmine`
    expect(withNeighbours(edited, [member('c', '10.64.1.5')])).toBe(
      `${own}192.0.2.1\tmine\n10.64.1.5\tc\t# in this network\n`,
    )
    expect(withNeighbours(one, [])).toBe(own)
  })
})

describe('networks', () => {
  it('have a folder and a bridge of their own, whatever they are called', () => {
    const names = [
      'default',
      'front',
      'back',
      '../../etc',
      'a name that is longer than a device’s',
      'default ',
    ]
    const places = names.map((name) => placeOf('/data/holm', name))
    expect(places[0]?.folder).toBe('/data/holm/network')
    expect(places.slice(1).every(({ folder }) => /^\/data\/holm\/networks\/[0-9a-f]{16}$/.test(folder))).toBe(
      true,
    )
    expect(new Set(places.map(({ bridge }) => bridge)).size).toBe(names.length)
    expect(places.every(({ bridge }) => /^holmc[0-9a-f]{8}$/.test(bridge))).toBe(true)
    expect(placeOf('/data/other', 'front').bridge).not.toBe(placeOf('/data/holm', 'front').bridge)
  })

  it('are holm’s but for the two that are none', () => {
    expect(['default', 'none', 'host', 'x'].map(hasBridge)).toEqual([true, false, false, true])
    expect(['default', 'none', 'host', 'x'].map(isNamed)).toEqual([false, false, false, true])
  })
})
