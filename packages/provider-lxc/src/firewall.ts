import type { PortBinding } from '@holm/core'

/** One network, as the firewall has to know it. */
export interface FirewallNetwork {
  readonly name: string
  readonly bridge: string
  /** "10.0.0.0/24" */
  readonly subnet: string
  /** Made by holm: its way out is ours to make. */
  readonly owned: boolean
  readonly published: readonly (PortBinding & { readonly address: string })[]
}

export interface FirewallInput {
  /** Of the data folder: chains and tables carry it. */
  readonly hash: string
  readonly networks: readonly FirewallNetwork[]
}

/** Chains of our own, by what they are for. */
export const ownChains = (hash: string): Readonly<Record<'to' | 'out' | 'forward' | 'input', string>> => ({
  to: `HOLM-LXC-TO-${hash}`,
  out: `HOLM-LXC-OUT-${hash}`,
  forward: `HOLM-LXC-FWD-${hash}`,
  input: `HOLM-LXC-IN-${hash}`,
})

/** The kernel's own chains that lead into ours: table, chain, ours. */
export function jumps(hash: string): readonly (readonly [table: string, from: string, to: string])[] {
  const { to, out, forward, input } = ownChains(hash)
  return [
    ['nat', 'PREROUTING', to],
    ['nat', 'OUTPUT', to],
    ['nat', 'POSTROUTING', out],
    ['filter', 'FORWARD', forward],
    ['filter', 'INPUT', input],
  ]
}

/**
 * Input of `iptables-restore --noflush`: replaces the rules of our chains in one step, whatever they were. With `install` the chains are new
 * and the kernel's own lead into them; before every other rule, for other engines refuse what they do not know.
 */
export function restoreText({ hash, networks }: FirewallInput, install: boolean): string {
  const { to, out, forward, input } = ownChains(hash)
  const lead = (table: string): string[] =>
    install
      ? jumps(hash)
          .filter(([at]) => at === table)
          .map(([, from, chain]) => `-I ${from} 1 -j ${chain}`)
      : []
  const natRules = networks.flatMap((network) => [
    ...network.published.map((port) => `-A ${to} ${publishRule(port, network)}`),
    ...(network.owned
      ? [`-A ${out} -s ${network.subnet} ! -o ${network.bridge} ${comment(network)} -j MASQUERADE`]
      : []),
    // What comes from this machine's own 127.0.0.1, or from a neighbour through a published port, must find its way back.
    `-A ${out} -s 127.0.0.0/8 -o ${network.bridge} ${comment(network)} -j MASQUERADE`,
    `-A ${out} -s ${network.subnet} -o ${network.bridge} -m conntrack --ctstate DNAT ${comment(network)} -j MASQUERADE`,
  ])
  const inward = networks.flatMap((network) => [
    `-A ${forward} -o ${network.bridge} -m conntrack --ctstate RELATED,ESTABLISHED ${comment(network)} -j ACCEPT`,
    `-A ${forward} -o ${network.bridge} -m conntrack --ctstate DNAT ${comment(network)} -j ACCEPT`,
    `-A ${forward} -i ${network.bridge} -o ${network.bridge} ${comment(network)} -j ACCEPT`,
    ...(network.owned ? [`-A ${forward} -o ${network.bridge} ${comment(network)} -j DROP`] : []),
  ])
  const outward = networks.map(
    (network) => `-A ${forward} -i ${network.bridge} ${comment(network)} -j ACCEPT`,
  )
  // Ports are published on 127.0.0.1 by routing to it; nobody inside may use that road the other way.
  const guarded = networks.map(
    (network) =>
      `-A ${input} -i ${network.bridge} -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED ${comment(network)} -j DROP`,
  )
  return [
    '*nat',
    `:${to} - [0:0]`,
    `:${out} - [0:0]`,
    ...lead('nat'),
    ...natRules,
    'COMMIT',
    '*filter',
    `:${forward} - [0:0]`,
    `:${input} - [0:0]`,
    ...lead('filter'),
    ...inward,
    ...outward,
    ...guarded,
    'COMMIT',
    '',
  ].join('\n')
}

function comment({ name }: FirewallNetwork): string {
  return `-m comment --comment "holm lxc ${name}"`
}

function publishRule(port: PortBinding & { readonly address: string }, network: FirewallNetwork): string {
  const where = port.hostIp === '0.0.0.0' ? '-m addrtype --dst-type LOCAL' : `-d ${port.hostIp}/32`
  const match = `${where} -p ${port.protocol} -m ${port.protocol} --dport ${port.host}`
  return `${match} ${comment(network)} -j DNAT --to-destination ${port.address}:${port.container}`
}

/** Input of `iptables-restore --noflush` that takes our chains away. */
export function removalText(hash: string): string {
  const { to, out, forward, input } = ownChains(hash)
  const of = (table: string, own: readonly string[]): string[] => [
    `*${table}`,
    ...own.map((chain) => `:${chain} - [0:0]`),
    ...jumps(hash)
      .filter(([at]) => at === table)
      .map(([, from, chain]) => `-D ${from} -j ${chain}`),
    ...own.map((chain) => `-X ${chain}`),
    'COMMIT',
  ]
  return [...of('nat', [to, out]), ...of('filter', [forward, input]), ''].join('\n')
}

/** The same rules for `nft -f`, in a table of their own, for machines without iptables. */
export function nftText({ hash, networks }: FirewallInput): string {
  const table = nftTable(hash)
  const chain = (name: string, hook: string, rules: readonly string[]): string[] => [
    `  chain ${name} {`,
    `    ${hook}`,
    ...rules.map((rule) => `    ${rule}`),
    '  }',
  ]
  const publish = networks.flatMap((network) => network.published.map((port) => nftPublish(port, network)))
  const nat = networks.flatMap((network) => [
    ...(network.owned
      ? [`ip saddr ${network.subnet} oifname != "${network.bridge}" masquerade ${nftComment(network)}`]
      : []),
    `ip saddr 127.0.0.0/8 oifname "${network.bridge}" masquerade ${nftComment(network)}`,
    `ip saddr ${network.subnet} oifname "${network.bridge}" ct status dnat masquerade ${nftComment(network)}`,
  ])
  const forward = networks.flatMap(({ bridge, owned }) => [
    `oifname "${bridge}" ct state related,established accept`,
    `oifname "${bridge}" ct status dnat accept`,
    `iifname "${bridge}" oifname "${bridge}" accept`,
    ...(owned ? [`oifname "${bridge}" drop`] : []),
  ])
  const guarded = networks.map(
    ({ bridge }) => `iifname "${bridge}" ip daddr 127.0.0.0/8 ct state != { related, established } drop`,
  )
  return [
    `table ip ${table}`,
    `delete table ip ${table}`,
    `table ip ${table} {`,
    ...chain('to', 'type nat hook prerouting priority dstnat; policy accept;', publish),
    ...chain('own', 'type nat hook output priority -100; policy accept;', publish),
    ...chain('out', 'type nat hook postrouting priority srcnat; policy accept;', nat),
    ...chain('forward', 'type filter hook forward priority filter; policy accept;', forward),
    ...chain('input', 'type filter hook input priority filter; policy accept;', guarded),
    '}',
    '',
  ].join('\n')
}

export function nftRemoval(hash: string): string {
  return `table ip ${nftTable(hash)}\ndelete table ip ${nftTable(hash)}\n`
}

function nftTable(hash: string): string {
  return `holm_lxc_${hash}`
}

function nftComment({ name }: FirewallNetwork): string {
  return `comment "holm lxc ${name}"`
}

function nftPublish(port: PortBinding & { readonly address: string }, network: FirewallNetwork): string {
  const where = port.hostIp === '0.0.0.0' ? 'fib daddr type local' : `ip daddr ${port.hostIp}`
  return `${where} ${port.protocol} dport ${port.host} dnat to ${port.address}:${port.container} ${nftComment(network)}`
}
