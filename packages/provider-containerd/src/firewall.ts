import type { Logger, Runner } from '@holm/core'
import { isHolmError } from '@holm/core'
import type { NetworkConfig } from './cni.ts'

interface FirewallContext {
  readonly runner: Runner
  readonly log: Logger
}

interface Rule {
  readonly table: 'nat' | 'filter'
  readonly chain: string
  readonly match: readonly string[]
}

/** Pure: the way out for all environments of a bridge, and nothing in but answers and published ports. */
export function networkRules({ bridge, subnet }: NetworkConfig): readonly Rule[] {
  const comment = ['-m', 'comment', '--comment', `holm ${bridge}`]
  const answers = ['-m', 'conntrack', '--ctstate', 'RELATED,ESTABLISHED,DNAT']
  return [
    {
      table: 'nat',
      chain: 'POSTROUTING',
      match: ['-s', subnet, '!', '-o', bridge, ...comment, '-j', 'MASQUERADE'],
    },
    { table: 'filter', chain: 'FORWARD', match: ['-i', bridge, ...comment, '-j', 'ACCEPT'] },
    { table: 'filter', chain: 'FORWARD', match: ['-o', bridge, ...answers, ...comment, '-j', 'ACCEPT'] },
  ]
}

/** Bridges whose rules this process has seen. */
const seen = new Set<string>()

/** Without iptables environments reach each other and this machine, and nothing beyond: that is said, and no error. */
export async function ensureRules(network: NetworkConfig, { runner, log }: FirewallContext): Promise<void> {
  if (seen.has(network.bridge)) return
  try {
    for (const rule of networkRules(network)) {
      if ((await iptables(runner, '-C', rule)).code === 0) continue
      const { code, stderr } = await iptables(runner, '-I', rule)
      if (code !== 0) return log.warn(`environments reach no other machine: iptables said: ${stderr.trim()}`)
    }
    seen.add(network.bridge)
  } catch (error) {
    if (!isHolmError(error, 'HOLM_TOOL_MISSING')) throw error
    log.warn('environments reach no other machine: iptables is not installed')
  }
}

export async function removeRules(network: NetworkConfig, { runner }: FirewallContext): Promise<void> {
  seen.delete(network.bridge)
  try {
    for (const rule of networkRules(network)) {
      // As often as it is there: two processes may have made it at once.
      for (let left = 8; left > 0 && (await iptables(runner, '-D', rule)).code === 0; left -= 1) continue
    }
  } catch (error) {
    if (!isHolmError(error, 'HOLM_TOOL_MISSING')) throw error
  }
}

function iptables(
  runner: Runner,
  action: '-C' | '-I' | '-D',
  { table, chain, match }: Rule,
): ReturnType<Runner['run']> {
  return runner.run(['iptables', '-w', '-t', table, action, chain, ...match], { timeoutMs: 10_000 })
}
