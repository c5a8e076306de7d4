import { describe, expect, it } from 'vitest'
import {
  chooseAddress,
  chooseSubnet,
  formatAddress,
  overlaps,
  parseAddress,
  parseRoutes,
  subnetOf,
} from './subnets.ts'

const routes = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	0102000A	0003	0	0	0	00000000	0	0	0
eth0	0005D50A	00000000	0001	0	0	0	00FFFFFF	0	0	0
vpn0	0000D50A	00000000	0001	0	0	0	0000FEFF	0	0	0
`

describe('subnets', () => {
  it('reads and writes addresses, also those above 127', () => {
    expect(formatAddress(parseAddress('192.168.255.7'))).toBe('192.168.255.7')
    expect(subnetOf('192.0.2.77', 26)).toEqual({ network: parseAddress('192.0.2.64'), prefix: 26 })
  })

  it('reads routes without the default one', () => {
    expect(parseRoutes(routes)).toEqual([
      { network: parseAddress('10.213.5.0'), prefix: 24 },
      { network: parseAddress('10.213.0.0'), prefix: 15 },
    ])
  })

  it('chooses what nothing has a way to', () => {
    const five = subnetOf('10.213.5.0', 24)
    expect(chooseSubnet([five], 5)).toEqual(subnetOf('10.213.6.0', 24))
    expect(chooseSubnet([subnetOf('10.213.0.0', 25)], 255)).toEqual(subnetOf('10.213.255.0', 24))
    expect(chooseSubnet([subnetOf('10.212.0.0', 15)], 3)).toBeUndefined()
    expect(overlaps(five, subnetOf('10.213.4.0', 23))).toBe(true)
  })

  it('hands out each address once, never the network’s own or the last', () => {
    const tiny = subnetOf('192.0.2.0', 29)
    expect(chooseAddress(tiny, new Set(['192.0.2.1']), 'bottom')).toBe('192.0.2.2')
    expect(chooseAddress(tiny, new Set(['192.0.2.6']), 'top')).toBe('192.0.2.5')
    const all = new Set([2, 3, 4, 5, 6].map((last) => `192.0.2.${last}`))
    expect(chooseAddress(tiny, all, 'bottom')).toBeUndefined()
    expect(chooseAddress(tiny, new Set([2, 3, 4, 5].map((last) => `192.0.2.${last}`)), 'bottom')).toBe(
      '192.0.2.6',
    )
  })
})
