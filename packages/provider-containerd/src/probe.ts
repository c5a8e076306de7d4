import { existsSync } from 'node:fs'
import { access, constants } from 'node:fs/promises'
import path from 'node:path'
import type { Probe, ProviderContext } from '@holm/core'
import { findPlugins } from './cni.ts'
import type { Engine } from './engine.ts'
import { parseFailure } from './failure.ts'
import { loadMachine } from './machine.ts'

/** Milliseconds until a containerd that says nothing counts as not answering. */
const deadlineMs = 2000

/** Never throws: what is wrong is in `reason`, what helps in `fix`. */
export async function probeEngine(engine: Engine, _ctx: ProviderContext): Promise<Probe> {
  const { address } = engine
  if (engine.uid !== 0)
    return unusable(
      'containerd needs root, and holm runs as another user',
      'Run holm as root: `sudo holm up`.',
    )
  if (!existsSync(address))
    return unusable(
      `there is no socket ${address}`,
      'Install and start containerd: `sudo apt install containerd && sudo systemctl start containerd`.',
    )
  try {
    await access(address, constants.R_OK | constants.W_OK)
    const client = await engine.client()
    const { version } = await client.call('Version.Version', {}, { timeoutMs: deadlineMs })
    return {
      usable: true,
      version: `containerd ${version.replace(/^v/, '')}`,
      limitations: limitations(engine),
    }
  } catch (error) {
    return explainProbe(error, address)
  }
}

function explainProbe(error: unknown, address: string): Probe {
  if ((error as NodeJS.ErrnoException).code === 'EACCES')
    return unusable(`this user may not use ${address}`, 'Run holm as root: `sudo holm up`.')
  const { message, status } = parseFailure(error)
  if (status === 'DEADLINE_EXCEEDED')
    return unusable(
      `containerd at ${address} does not answer within ${deadlineMs} ms`,
      'Look at its log, and restart it: `sudo systemctl restart containerd`.',
    )
  return unusable(
    `containerd at ${address} does not answer: ${message}`,
    'Start it: `sudo systemctl start containerd`.',
  )
}

function unusable(reason: string, fix: string): Probe {
  return { usable: false, reason, fix, limitations: [] }
}

function limitations({ env }: Engine): readonly string[] {
  const { enforcers } = loadMachine()
  const missing = (['cpus', 'memory', 'pids'] as const).filter((name) => enforcers[name] === null)
  const folders = `${env['PATH'] ?? ''}:/usr/sbin:/sbin`.split(':')
  const hasIptables = folders.some((folder) => existsSync(path.join(folder, 'iptables')))
  return [
    ...(missing.length > 0 ? [`limits of ${missing.join(', ')} are not enforced on this machine`] : []),
    ...(findPlugins() === undefined
      ? [
          'the network plugins (containernetworking-plugins) are missing: only `network: none` and `network: host` work',
        ]
      : []),
    ...(hasIptables
      ? []
      : [
          'without iptables environments reach no other machine and publish no ports, and networks are not kept apart',
        ]),
  ]
}
