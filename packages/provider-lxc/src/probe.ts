import type { Probe, ProviderContext } from '@holm/core'
import { findTool } from './find-tool.ts'
import { asInnerRoot } from './id-map.ts'
import type { Session } from './session.ts'

const tools = ['lxc-start', 'lxc-attach', 'mount', 'unshare', 'tar']
const rootTools = ['ip']
const userTools = ['lxc-usernsexec', 'newuidmap', 'newgidmap']

/** Asks for the tools and, for an ordinary user, whether its ids can really be used. */
export async function probeLxc(session: Session, ctx: ProviderContext): Promise<Probe> {
  const root = session.settings.caller.uid === 0
  const problem = findMissing(session) ?? (root ? undefined : await tryIds(session, ctx))
  if (problem !== undefined) return problem
  const version = await ctx.runner.run(['lxc-start', '--version'], { env: session.env, timeoutMs: 2000 })
  if (version.code !== 0)
    return unusable(
      `lxc-start does not work: ${version.stderr.trim()}`,
      'Install LXC anew (apt-get install --reinstall lxc).',
    )
  return { usable: true, version: `LXC ${version.stdout.trim()}`, limitations: limitationsOf(session) }
}

/** What is seen without starting anything. */
export function findMissing(session: Session): Probe | undefined {
  const { uid, name } = session.settings.caller
  const missing = [...tools, ...(uid === 0 ? rootTools : userTools)].find(
    (tool) => !findTool(tool, session.env['PATH']),
  )
  if (missing !== undefined)
    return unusable(
      `${missing} is not installed.`,
      `Install LXC (apt-get install lxc uidmap${uid === 0 ? ' iproute2 iptables' : ''}).`,
    )
  if (uid === 0 || session.idMap !== undefined) return undefined
  const fix = `Run \`sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${name}\`.`
  return unusable(`${name} has no range of ids in /etc/subuid and /etc/subgid.`, fix)
}

function unusable(reason: string, fix: string): Probe {
  return { usable: false, reason, fix, limitations: [] }
}

async function tryIds(session: Session, ctx: ProviderContext): Promise<Probe | undefined> {
  const argv = [...asInnerRoot(session.idMap), 'unshare', '--mount', 'true']
  const { code, stderr } = await ctx.runner.run(argv, { env: session.env, timeoutMs: 2000 })
  if (code === 0) return undefined
  const last = stderr.trim().split('\n').at(-1) ?? ''
  return unusable(
    `User namespaces cannot be made here: ${last}`,
    'Allow them (`sudo sysctl -w kernel.unprivileged_userns_clone=1`), or run holm as root.',
  )
}

function limitationsOf(session: Session): string[] {
  const root = session.settings.caller.uid === 0
  const firewall = ['iptables-restore', 'nft'].some((name) => findTool(name, session.env['PATH']))
  return [
    'The kernel is shared with this machine: a hole in it is a way out.',
    'The size of the disk is not limited.',
    ...(root
      ? [
          'holm runs as root: root inside has the numeric id 0 outside, too, with few of its powers; a base whose own init runs (`main: base`) has more of them.',
          ...(firewall
            ? []
            : ['Neither iptables nor nft is installed: no way out of the network, and no ports.']),
        ]
      : [
          "Without root there is no network unless the blueprint shares this machine's (`network: host`), and no ports are published.",
          'Without root, limits hold only where control groups (version 2) are handed over to you.',
        ]),
  ]
}
