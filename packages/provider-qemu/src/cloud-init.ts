import { HolmError } from '@holm/core'
import type { ProviderContext } from '@holm/core'
import { execInside } from './exec.ts'
import type { Machine, QemuRecord } from './record.ts'
import { agentOf } from './session.ts'

/**
 * What cloud-init finds of this environment (its source "NoCloud"). Another instance-id, as a clone has, makes it begin anew. The
 * interface is named as it is: what is matched is written wrongly for older network scripts.
 */
export function cloudSeed({
  id,
  hostname,
  network,
}: Pick<QemuRecord, 'id' | 'hostname' | 'network'>): Record<string, string> {
  const folder = '/var/lib/cloud/seed/nocloud'
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`
  return {
    '/etc/cloud/cloud.cfg.d/99-holm.cfg': 'datasource_list: [NoCloud, None]\n',
    [`${folder}/meta-data`]: json({ 'instance-id': id, 'local-hostname': hostname }),
    [`${folder}/user-data`]: `#cloud-config\n${json({ locale: 'C.UTF-8', ssh_pwauth: false, package_update: false })}`,
    [`${folder}/network-config`]: json(
      network === 'none' ? { config: 'disabled' } : { version: 2, ethernets: { eth0: { dhcp4: true } } },
    ),
  }
}

const deadlineMs = { kvm: 180_000, tcg: 600_000 } as const

const waitScript =
  'command -v cloud-init >/dev/null || exit 0; cloud-init status --wait >/dev/null; c=$?; cloud-init status --long; exit $c'

/** Waits until cloud-init is done. Its code 2 means that it recovered from something. */
export async function waitForCloudInit(
  record: QemuRecord & { readonly machine: Machine },
  ctx: ProviderContext,
): Promise<void> {
  const deadline = deadlineMs[record.machine.accelerator]
  ctx.progress({ message: 'waiting for cloud-init' })
  const process = await execInside(agentOf(record), { argv: ['sh', '-c', waitScript], cwd: '/' }, ctx)
  let late = false
  const timer = setTimeout(() => {
    late = true
    void process.kill('SIGKILL')
  }, deadline)
  const said: Buffer[] = []
  process.stderr.resume()
  for await (const chunk of process.stdout) said.push(chunk as Buffer)
  const { code } = await process.exited.finally(() => clearTimeout(timer))
  if (late) throw new HolmError('HOLM_TIMEOUT', `cloud-init was not done in ${deadline / 1000} s`)
  if (code === 0 || code === 2) return
  const text = Buffer.concat(said).toString().trim().split('\n').join('; ')
  throw new HolmError('HOLM_ENVIRONMENT_FAILED', `cloud-init failed in ${record.name}: ${text}`, {
    hint: 'Look at /var/log/cloud-init.log of the disk.',
  })
}
