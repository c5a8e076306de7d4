import { HolmError } from '@holm/core'
import type { ProviderContext } from '@holm/core'
import { findTool } from './find-tool.ts'
import {
  jumps,
  nftRemoval,
  nftText,
  ownChains,
  removalText,
  restoreText,
  type FirewallNetwork,
} from './firewall.ts'
import type { Session } from './session.ts'
import { runTool } from './tools.ts'

const restore = ['iptables-restore', '--noflush', '--wait']
const timeoutMs = 10_000

/** Makes the kernel's rules what these networks need, in one step. */
export async function applyRules(
  session: Session,
  networks: readonly FirewallNetwork[],
  ctx: ProviderContext,
): Promise<void> {
  const { env } = session
  const input = { hash: session.layout.hash, networks }
  const options = { env, what: 'write the rules of the network', timeoutMs }
  if (findTool('iptables-restore', env['PATH'])) {
    const { forward } = ownChains(input.hash)
    const present = await ctx.runner.run(['iptables', '--wait', '-n', '-L', forward], { env, timeoutMs })
    // A firewall that was loaded anew meanwhile has forgotten ours, in part perhaps.
    if (present.code !== 0) await removeOneByOne(session, ctx)
    await runTool(restore, { ...options, input: restoreText(input, present.code !== 0) }, ctx)
    return
  }
  if (findTool('nft', env['PATH'])) {
    await runTool(['nft', '-f', '-'], { ...options, input: nftText(input) }, ctx)
    return
  }
  if (networks.every(({ published }) => published.length === 0)) return
  throw new HolmError('HOLM_TOOL_MISSING', 'neither iptables nor nft is on PATH: no port can be published', {
    hint: 'Install iptables (apt-get install iptables).',
  })
}

export async function removeRules(session: Session, ctx: ProviderContext): Promise<void> {
  const { env, layout } = session
  if (findTool('iptables-restore', env['PATH'])) {
    const { code } = await ctx.runner.run(restore, { env, timeoutMs, input: removalText(layout.hash) })
    if (code !== 0) await removeOneByOne(session, ctx)
  } else if (findTool('nft', env['PATH'])) {
    await ctx.runner.run(['nft', '-f', '-'], { env, timeoutMs, input: nftRemoval(layout.hash) })
  }
}

/** Whatever is there of them, also twice: what was interrupted, or changed by somebody else. */
async function removeOneByOne(session: Session, ctx: ProviderContext): Promise<void> {
  const { hash } = session.layout
  const { stdout } = await ctx.runner.run(['iptables-save'], { env: session.env, timeoutMs })
  if (!stdout.includes(hash)) return
  const iptables = async (...words: readonly string[]): Promise<boolean> =>
    (await ctx.runner.run(['iptables', '--wait', ...words], { env: session.env, timeoutMs })).code === 0
  const limit = 10
  for (const [table, from, chain] of jumps(hash)) {
    for (let time = 0; time < limit; time += 1)
      if (!(await iptables('-t', table, '-D', from, '-j', chain))) break
  }
  for (const [table, , chain] of jumps(hash)) {
    await iptables('-t', table, '-F', chain)
    await iptables('-t', table, '-X', chain)
  }
}
