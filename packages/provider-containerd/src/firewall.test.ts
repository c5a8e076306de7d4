import { createFakeRunner } from '@holm/testkit'
import { expect, it } from 'vitest'
import { ensureRules, findRules, hasRules, networkRules, removeRules, replaceText } from './firewall.ts'

const network = { bridge: 'holmc1', subnet: '10.64.1.0/24', state: '/state' }
const rules = networkRules(network)

/** As iptables-save tells what `replaceText` made: the last inserted comes first. */
function saved(text: string): string {
  return text
    .split('COMMIT\n')
    .filter((part) => part !== '')
    .map((part) => {
      const [table = '', ...lines] = part.trim().split('\n')
      const made = lines.toReversed().map((line) => line.replace('-I', '-A'))
      return [table, ':FORWARD DROP [0:0]', '-A FORWARD -j DOCKER-USER', ...made, 'COMMIT', ''].join('\n')
    })
    .join('')
}

const complete = saved(replaceText('holmc1', [], rules))

it('lets answers and published ports in, and everything out that is no other bridge of holm’s', () => {
  const words = rules.map(({ chain, match, target }) => `${chain} ${match.join(' ')} ${target}`)
  expect(words).toEqual([
    'POSTROUTING -s 10.64.1.0/24 ! -o holmc1 MASQUERADE',
    'INPUT -i holmc1 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED DROP',
    'FORWARD -i holmc1 -o holmc1 ACCEPT',
    'FORWARD -o holmc1 -m conntrack --ctstate RELATED,ESTABLISHED,DNAT ACCEPT',
    'FORWARD -o holmc1 DROP',
    'FORWARD -i holmc1 -o holmc+ -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT DROP',
    'FORWARD -i holmc1 ACCEPT',
  ])
})

it('knows its rules again, and those that are not all, twice, or of an earlier version', () => {
  const found = findRules(complete, 'holmc1')
  expect(found.map(({ table }) => table)).toEqual(['nat', ...Array.from({ length: 6 }, () => 'filter')])
  expect(hasRules(found, rules)).toBe(true)
  expect(hasRules([...found, ...found], rules)).toBe(false)
  expect(hasRules(found.slice(1), rules)).toBe(false)
  expect(hasRules(found.toReversed(), rules)).toBe(false)
  const earlier = found.filter(({ line }) => !line.endsWith('DROP') && !line.includes('-i holmc1 -o holmc1'))
  expect(hasRules(earlier, rules)).toBe(false)
  expect(findRules(complete, 'holmc')).toEqual([])
})

it('replaces what is there by what is wanted in one step', () => {
  const [old] = findRules(complete, 'holmc1')
  const text = replaceText('holmc1', old ? [old] : [], rules.slice(0, 1))
  const words = '-s 10.64.1.0/24 ! -o holmc1 -m comment --comment "holm holmc1" -j MASQUERADE'
  expect(text).toBe(`*nat\n-D POSTROUTING ${words}\n-I POSTROUTING ${words}\nCOMMIT\n*filter\nCOMMIT\n`)
})

it('changes nothing that is right, and says what fails', async () => {
  const log: string[] = []
  const logger = { debug: () => {}, info: () => {}, warn: (message: string) => void log.push(message) }
  const locked = <T>(work: () => Promise<T>): Promise<T> => work()
  const right = createFakeRunner([{ argv: ['iptables-save'], stdout: complete }])
  await ensureRules(network, { runner: right, log: logger }, locked)
  expect(log).toEqual([])
  const refused = createFakeRunner([
    { argv: ['iptables-save'], stdout: complete },
    { argv: ['iptables-save'], stdout: complete },
    { argv: ['iptables-restore', '--noflush', '--wait'], code: 2, stderr: 'no chain' },
  ])
  expect(await removeRules(network, { runner: refused, log: logger })).toBe('iptables-restore said: no chain')
  const other = { ...network, bridge: 'holmc2' }
  const unable = createFakeRunner([
    { argv: ['iptables-save'], stdout: '' },
    { argv: ['iptables-save'], stdout: '' },
    { argv: ['iptables-restore', '--noflush', '--wait'], code: 4, stderr: 'no kernel module' },
  ])
  await ensureRules(other, { runner: unable, log: logger }, locked)
  const without = createFakeRunner([
    { argv: ['iptables-save'], missing: true },
    { argv: ['iptables-restore', '--noflush', '--wait'], missing: true },
  ])
  await ensureRules(other, { runner: without, log: logger }, locked)
  const lost = 'environments reach no other machine, and networks are not kept apart'
  expect(log).toEqual([
    `${lost}: iptables-restore said: no kernel module`,
    `${lost}: iptables is not installed`,
  ])
})
