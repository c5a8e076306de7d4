import { HolmError, isHolmError } from '@holm/core'
import type { ProviderContext, TmpfsMount } from '@holm/core'
import { setTimeout as sleep } from 'node:timers/promises'
import { runInside } from './inside.ts'
import { guestFolder } from './program.ts'
import { quote } from './quote.ts'
import type { LimaRecord } from './record.ts'
import type { Session } from './session.ts'
import { wordsOf } from './state.ts'

/** How long the first boot may take, with what cloud-init does in it. */
export const bootMs = 10 * 60_000

/**
 * Waits until the machine can be used, and gives it what Lima has no field for. limactl returns when its own checks
 * passed or gave up: cloud-init may still be at work, and ssh away again. Repeating it changes nothing.
 */
export async function makeReady(
  session: Session,
  record: LimaRecord,
  { ctx, deadline }: { readonly ctx: ProviderContext; readonly deadline: number },
): Promise<void> {
  for (;;) {
    const failure = await attempt(session, record, { ctx, deadline })
    if (failure === undefined) return
    if (performance.now() > deadline)
      throw new HolmError(
        'HOLM_TIMEOUT',
        `${record.name} was not ready within ${bootMs / 60_000} min: ${failure}`,
        {
          hint: `Read its console with \`holm logs ${record.name}\`.`,
        },
      )
    await sleep(1000, undefined, { signal: ctx.signal }).catch(() => undefined)
  }
}

/** Undefined when it is ready, else what it waits for. */
async function attempt(
  session: Session,
  record: LimaRecord,
  { ctx, deadline }: { readonly ctx: ProviderContext; readonly deadline: number },
): Promise<string | undefined> {
  const late = AbortSignal.timeout(Math.ceil(Math.max(1000, deadline - performance.now())))
  const bounded = { ...ctx, signal: AbortSignal.any([ctx.signal, late]) }
  try {
    const { code, stderr } = await runInside(session, record.name, {
      request: { script: readyScript(record) },
      ctx: bounded,
    })
    if (code !== 0) return `its preparation failed: ${stderr.trim()}`
    if (stderr.trim() !== '') ctx.log.warn(`${record.name}: ${stderr.trim()}`)
    return undefined
  } catch (error) {
    if (ctx.signal.aborted) throw error
    if (late.aborted) return 'cloud-init has not finished'
    if (isHolmError(error, 'HOLM_ENVIRONMENT_FAILED')) return wordsOf(error)
    throw error
  }
}

/** Pure. cloud-init that ended with an error leaves a machine that can be entered: said, not fatal. */
export function readyScript({ hostname, mounts }: Pick<LimaRecord, 'hostname' | 'mounts'>): string {
  const host = quote(hostname)
  return [
    `[ ! -e ${guestFolder}/ready ] || exit 0`,
    'if command -v cloud-init >/dev/null 2>&1; then',
    '  s=$(cloud-init status --wait --long 2>/dev/null) || case $s in',
    '    *"status: error"*) echo "cloud-init ended with errors: $s" >&2;;',
    '  esac',
    'fi',
    `printf '%s\\n' ${host} >/etc/hostname`,
    `printf '%s\\n' ${host} >/proc/sys/kernel/hostname`,
    `grep -qsF ' '${host} /etc/hosts || printf '127.0.1.1 %s\\n' ${host} >>/etc/hosts`,
    ...mounts.flatMap((mount) => (mount.type === 'tmpfs' ? tmpfsLines(mount) : [])),
    `umask 077; mkdir -p ${guestFolder} && : >${guestFolder}/ready`,
  ].join('\n')
}

function tmpfsLines({ target, sizeBytes }: TmpfsMount): string[] {
  const size = sizeBytes === undefined ? '' : `,size=${sizeBytes}`
  const folder = quote(target)
  return [`mkdir -p ${folder} && mount -t tmpfs -o mode=1777${size} tmpfs ${folder} || exit 1`]
}
