import type { Logger, RunResult, Runner } from '@holm/core'
import { isHolmError } from '@holm/core'
import type { NetworkConfig } from './cni.ts'
import { bridgePrefix } from './names.ts'

export interface FirewallContext {
  readonly runner: Runner
  readonly log: Logger
}

export interface Rule {
  readonly table: 'nat' | 'filter'
  readonly chain: string
  readonly match: readonly string[]
  readonly target: string
}

/**
 * Pure: the way out for all environments of a bridge, but not to other bridges of holm's; nothing in but answers and published ports.
 * In the order in which the kernel asks them.
 */
export function networkRules({ bridge, subnet }: NetworkConfig): readonly Rule[] {
  const conntrack = (...words: readonly string[]): readonly string[] => ['-m', 'conntrack', ...words]
  const answers = 'RELATED,ESTABLISHED,DNAT'
  const forward = (target: string, ...match: readonly string[]): Rule => ({
    table: 'filter',
    chain: 'FORWARD',
    match,
    target,
  })
  return [
    {
      table: 'nat',
      chain: 'POSTROUTING',
      match: ['-s', subnet, '!', '-o', bridge],
      target: 'MASQUERADE',
    },
    // Ports are published on 127.0.0.1 by routing to it; nobody inside may use that road the other way.
    {
      table: 'filter',
      chain: 'INPUT',
      match: ['-i', bridge, '-d', '127.0.0.0/8', ...conntrack('!', '--ctstate', 'RELATED,ESTABLISHED')],
      target: 'DROP',
    },
    forward('ACCEPT', '-i', bridge, '-o', bridge),
    forward('ACCEPT', '-o', bridge, ...conntrack('--ctstate', answers)),
    forward('DROP', '-o', bridge),
    forward('DROP', '-i', bridge, '-o', `${bridgePrefix}+`, ...conntrack('!', '--ctstate', answers)),
    forward('ACCEPT', '-i', bridge),
  ]
}

/** A rule as the kernel has it. */
interface SavedRule {
  readonly table: string
  /** `-A CHAIN …` */
  readonly line: string
}

/** Pure: rules of a bridge in the output of iptables-save, in their order. */
export function findRules(saved: string, bridge: string): readonly SavedRule[] {
  let table = ''
  return saved.split('\n').flatMap((line) => {
    if (line.startsWith('*')) table = line.slice(1)
    return line.startsWith('-A ') && line.includes(`--comment "holm ${bridge}"`) ? [{ table, line }] : []
  })
}

/** Pure: whether all are there, once each and in their order; those of an earlier version of holm are others. */
export function hasRules(found: readonly SavedRule[], rules: readonly Rule[]): boolean {
  const present = found.map(({ table, line }) => {
    const [, chain = ''] = line.split(' ')
    return { table, chain, target: / -j (\S+)/.exec(line)?.[1] ?? '' }
  })
  const numbered = (list: readonly Omit<Rule, 'match' | 'table'>[]): string =>
    list
      .map(({ chain, target }, at) => {
        const before = list.slice(0, at).filter((each) => each.chain === chain).length
        return `${chain} ${before} ${target}`
      })
      .toSorted()
      .join('\n')
  return numbered(present) === numbered(rules)
}

/** Pure: input of iptables-restore that replaces what was found by `rules`, in one step per table, before the rules of anybody else. */
export function replaceText(bridge: string, found: readonly SavedRule[], rules: readonly Rule[]): string {
  return ['nat', 'filter']
    .map((table) => {
      const gone = found.filter((each) => each.table === table).map(({ line }) => line.replace('-A', '-D'))
      const made = rules
        .filter((each) => each.table === table)
        .toReversed()
        .map(({ chain, match, target }) =>
          ['-I', chain, ...match, '-m comment --comment', `"holm ${bridge}"`, '-j', target].join(' '),
        )
      return [`*${table}`, ...gone, ...made, 'COMMIT', ''].join('\n')
    })
    .join('')
}

/** Bridges whose rules this process has seen. */
const seen = new Set<string>()

/**
 * Without iptables environments reach each other and this machine, and nothing beyond: that is said, and no error. `locked` runs what may be
 * done by one holm at a time.
 */
export async function ensureRules(
  network: NetworkConfig,
  context: FirewallContext,
  locked: (work: () => Promise<string | undefined>) => Promise<string | undefined>,
): Promise<void> {
  const { bridge } = network
  if (seen.has(bridge)) return
  const rules = networkRules(network)
  const present = await loadRules(context, bridge)
  const wrong = hasRules(present, rules) ? undefined : await locked(() => applyRules(network, rules, context))
  if (wrong === undefined) seen.add(bridge)
  else context.log.warn(`environments reach no other machine, and networks are not kept apart: ${wrong}`)
}

/** Why rules are still there; undefined when none is. */
export async function removeRules(
  network: NetworkConfig,
  context: FirewallContext,
): Promise<string | undefined> {
  seen.delete(network.bridge)
  return (await loadRules(context, network.bridge)).length === 0
    ? undefined
    : applyRules(network, [], context)
}

/** What went wrong; undefined when the kernel has them. */
async function applyRules(
  { bridge }: NetworkConfig,
  rules: readonly Rule[],
  context: FirewallContext,
): Promise<string | undefined> {
  const found = await loadRules(context, bridge)
  if (hasRules(found, rules)) return undefined
  const result = await run(context, ['iptables-restore', '--noflush', '--wait'], {
    input: replaceText(bridge, found, rules),
  })
  if (result === undefined) return 'iptables is not installed'
  return result.code === 0 ? undefined : `iptables-restore said: ${result.stderr.trim()}`
}

async function loadRules(context: FirewallContext, bridge: string): Promise<readonly SavedRule[]> {
  const result = await run(context, ['iptables-save'], {})
  return findRules(result?.stdout ?? '', bridge)
}

/** Undefined where there is no such program. */
async function run(
  { runner }: FirewallContext,
  argv: readonly string[],
  options: { readonly input?: string },
): Promise<RunResult | undefined> {
  try {
    return await runner.run(argv, { ...options, timeoutMs: 10_000 })
  } catch (error) {
    if (isHolmError(error, 'HOLM_TOOL_MISSING')) return undefined
    throw error
  }
}
