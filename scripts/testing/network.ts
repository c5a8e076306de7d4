import { networkInterfaces } from 'node:os'
import { runCommand } from '../command.ts'

export interface TestNetwork {
  readonly bridge: string
  /** The bridge's own address with its prefix length. */
  readonly address: string
  readonly subnet: string
}

/** A name and a range that nobody has. */
export async function chooseNetwork(id: string): Promise<TestNetwork> {
  const third = await findFreeSubnet()
  return { bridge: `holmt${id}`, address: `172.31.${third}.1/24`, subnet: `172.31.${third}.0/24` }
}

/** A bridge of our own: a second dockerd that manages the default bridge would take it from the first. */
export async function createNetwork(id: string): Promise<TestNetwork> {
  const network = await chooseNetwork(id)
  await mustRun(['ip', 'link', 'add', network.bridge, 'type', 'bridge'])
  await mustRun(['ip', 'addr', 'add', network.address, 'dev', network.bridge])
  await mustRun(['ip', 'link', 'set', network.bridge, 'up'])
  for (const rule of natRules(network))
    await runCommand(['iptables', '-w', ...rule.table, '-I', ...rule.spec])
  return network
}

/** Idempotent: also removes what a half-made network left. */
export async function removeNetwork(network: TestNetwork): Promise<void> {
  for (const rule of natRules(network))
    await runCommand(['iptables', '-w', ...rule.table, '-D', ...rule.spec])
  await runCommand(['ip', 'link', 'del', network.bridge])
}

/**
 * dockerd is started without iptables, because its chains are shared by all engines of a machine; these three rules,
 * which are ours alone, give containers the way out.
 */
function natRules({ bridge, subnet }: TestNetwork): { table: string[]; spec: string[] }[] {
  return [
    { table: ['-t', 'nat'], spec: ['POSTROUTING', '-s', subnet, '!', '-o', bridge, '-j', 'MASQUERADE'] },
    { table: [], spec: ['FORWARD', '-i', bridge, '-j', 'ACCEPT'] },
    { table: [], spec: ['FORWARD', '-o', bridge, '-j', 'ACCEPT'] },
  ]
}

async function findFreeSubnet(): Promise<number> {
  const { output } = await runCommand(['ip', '-4', 'route', 'show', 'table', 'all'])
  const addresses = Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).map(({ address }) => address),
  )
  const taken = `${output}\n${addresses.join('\n')}`
  // A random start keeps two runs that begin together apart.
  const start = Math.floor(Math.random() * 100)
  for (let step = 0; step < 100; step++) {
    const third = 100 + ((start + step) % 100)
    if (!taken.includes(`172.31.${third}.`)) return third
  }
  throw new Error('no free subnet between 172.31.100.0 and 172.31.199.0')
}

async function mustRun(argv: readonly string[]): Promise<void> {
  const { code, output } = await runCommand(argv)
  if (code !== 0) throw new Error(`${argv.join(' ')}: ${output.trim()}`)
}
