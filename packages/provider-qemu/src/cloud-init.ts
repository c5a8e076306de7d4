import { HolmError, abortError } from '@holm/core'
import type { ProviderContext } from '@holm/core'
import { execInside } from './exec.ts'
import type { Machine, QemuRecord } from './record.ts'
import { agentOf } from './session.ts'

const folder = '/var/lib/cloud/seed/nocloud'

/**
 * What cloud-init finds of this environment (its source "NoCloud"). Another instance-id, as a clone has, makes it begin anew. The
 * interface is named as it is: what is matched is written wrongly for older network scripts.
 */
export function cloudSeed({
  id,
  hostname,
  network,
  options,
}: Pick<QemuRecord, 'id' | 'hostname' | 'network' | 'options'>): Record<string, string> {
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`
  return {
    '/etc/cloud/cloud.cfg.d/99-holm.cfg': 'datasource_list: [NoCloud, None]\n',
    [`${folder}/meta-data`]: json({ 'instance-id': id, 'local-hostname': hostname }),
    // The user's own has the last word.
    [`${folder}/vendor-data`]: `#cloud-config\n${json({ locale: 'C.UTF-8', ssh_pwauth: false, package_update: false })}`,
    [`${folder}/user-data`]: options.userData ?? '#cloud-config\n{}\n',
    [`${folder}/network-config`]: json(
      network === 'none' ? { config: 'disabled' } : { version: 2, ethernets: { eth0: { dhcp4: true } } },
    ),
  }
}

const deadlineMs = { kvm: 180_000, tcg: 600_000 } as const

/**
 * What cloud-init makes of settings it cannot read differs from version to version, down to nothing at all: they are looked at
 * first, where it has a command for that. Exit code 2 of `status` means that it recovered from something.
 */
const waitScript = `
command -v cloud-init >/dev/null || exit 0
if [ -n "$1" ]; then
  said=$(cloud-init schema -c "$1" 2>&1) || case $said in
    *'invalid choice'*) ;;
    *) echo "$said"; exit 1 ;;
  esac
fi
cloud-init status --wait >/dev/null; code=$?
case $code in 0|2) exit 0 ;; esac
cloud-init status --long
tail -n 5 /var/log/cloud-init-output.log 2>/dev/null
exit $code`

/** Waits until cloud-init is done; HOLM_ENVIRONMENT_FAILED with what it says when it failed. */
export async function waitForCloudInit(
  record: QemuRecord & { readonly machine: Machine },
  ctx: ProviderContext,
): Promise<void> {
  const deadline = deadlineMs[record.machine.accelerator]
  ctx.progress({ message: 'waiting for cloud-init' })
  const given = record.options.userData?.startsWith('#cloud-config') === true
  const argv = ['sh', '-c', waitScript, 'sh', given ? `${folder}/user-data` : '']
  const process = await execInside(agentOf(record), { argv, cwd: '/' }, ctx)
  let late = false
  const timer = setTimeout(() => {
    late = true
    void process.kill('SIGKILL')
  }, deadline)
  const said: Buffer[] = []
  process.stderr.resume()
  for await (const chunk of process.stdout) said.push(chunk as Buffer)
  const { code } = await process.exited.finally(() => clearTimeout(timer))
  if (ctx.signal.aborted) throw abortError(ctx.signal)
  const text = describeStatus(Buffer.concat(said).toString())
  if (late) throw new HolmError('HOLM_TIMEOUT', `cloud-init was not done in ${deadline / 1000} s`)
  if (code === 0) return
  throw new HolmError('HOLM_ENVIRONMENT_FAILED', `cloud-init failed in ${record.name}: ${text}`, {
    hint:
      record.options.userData === undefined
        ? 'Look at /var/log/cloud-init.log of the disk.'
        : 'Correct providers.qemu.userData of the blueprint.',
  })
}

/** One line of what `status` and the log said: without the lines that say the same every time. */
export function describeStatus(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter(
      (line) =>
        line !== '' &&
        !/^(?:status|boot_status_code|last_update|time|extended_status|detail|errors|recoverable_errors):/.test(
          line,
        ),
    )
    .slice(-8)
    .join('; ')
}
