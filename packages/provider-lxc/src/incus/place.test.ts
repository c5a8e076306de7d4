import { expect, it } from 'vitest'
import { chooseAddress, parseSubnet } from './place.ts'

it('reads the range of a bridge', () => {
  expect(parseSubnet('10.1.2.1/24')).toEqual({ base: 0x0a010200, prefix: 24, gateway: '10.1.2.1' })
  expect(parseSubnet('192.168.255.129/25')?.base).toBe(0xc0a8ff80)
  for (const text of ['none', '', 'fd42::1/64', '10.0.0.1/31'])
    expect(parseSubnet(text), text).toBeUndefined()
})

it('chooses what nobody has, and tells when nothing is left', () => {
  const subnet = parseSubnet('10.0.0.1/29')
  expect(subnet).toBeDefined()
  if (subnet === undefined) return
  const used = new Set<string>()
  for (let count = 0; count < 5; count += 1) used.add(chooseAddress(subnet, used) ?? 'none')
  expect([...used].toSorted()).toEqual(['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6'])
  expect(chooseAddress(subnet, used)).toBeUndefined()
})
