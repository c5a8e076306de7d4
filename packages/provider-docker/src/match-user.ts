import { HolmError } from '@holm/core'
import type { ProviderContext } from '@holm/core'
import type Docker from 'dockerode'
import { awaitExitCode } from './exec-code.ts'
import { label } from './names.ts'

export interface MatchRequest {
  readonly docker: Docker
  readonly container: Docker.Container
  readonly info: Docker.ContainerInspectInfo
  readonly ctx: ProviderContext
}

/**
 * Gives the environment's user the caller's ids, as devcontainer's updateRemoteUserUID does: so that files of a bind
 * mount have one owner. Runs at every start and does nothing once the ids fit. A user that the image does not have,
 * root, and an id that another user of the image has are left alone.
 */
export async function matchUser({ container, info, ctx }: MatchRequest): Promise<void> {
  const wanted = wantedIds(info)
  if (!wanted) return
  const { user, uid, gid } = wanted
  const { code, output } = await runAsRoot(container, ['/bin/sh', '-c', script, 'sh', user, uid, gid])
  if (code === 0) return
  if (code === 3) return ctx.log.warn(`the user ${user} keeps its id: ${output}`)
  throw new HolmError(
    'HOLM_ENVIRONMENT_FAILED',
    `the user ${user} could not be given the ids ${uid}:${gid}: ${output}`,
    { hint: 'Set `matchUserId: false` in the blueprint.' },
  )
}

/** Undefined when nothing is to be done: no wish, no user, root, or a bare number. */
function wantedIds(
  info: Docker.ContainerInspectInfo,
): { user: string; uid: string; gid: string } | undefined {
  const labels = info.Config.Labels ?? {}
  const [uid, gid] = (labels[label.matchIds] ?? '').split(':')
  const [user = ''] = (labels[label.matchUser] || info.Config.User).split(':')
  if (!uid || !gid || user === '' || user === 'root' || /^\d+$/.test(user)) return undefined
  return { user, uid, gid }
}

async function runAsRoot(
  container: Docker.Container,
  argv: string[],
): Promise<{ code: number; output: string }> {
  const exec = await container.exec({ Cmd: argv, User: '0:0', AttachStdout: true, AttachStderr: true })
  const stream = await exec.start({ hijack: true, stdin: false })
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk as Uint8Array)
  const text = Buffer.concat(chunks).toString('utf8')
  return { code: await awaitExitCode(exec), output: text.replaceAll(/[^\x20-\x7e]+/g, ' ').trim() }
}

/** sed, grep, chown only: usermod is not in every image. A changed file is written in place, so that its mode stays. */
const script = `
user=$1 uid=$2 gid=$3
line=$(grep "^$user:" /etc/passwd) || exit 0
IFS=: read -r _ _ old oldgid _ home _ <<EOF
$line
EOF
[ "$old" = 0 ] && exit 0
[ "$old" = "$uid" ] && [ "$oldgid" = "$gid" ] && exit 0
if [ "$old" != "$uid" ] && grep -q "^[^:]*:[^:]*:$uid:" /etc/passwd; then echo "the image gives $uid to another user"; exit 3; fi
if grep -q "^[^:]*:[^:]*:$gid:" /etc/group; then gid=$oldgid; fi
set -e
passwd=$(sed "s/^\\($user:[^:]*\\):[^:]*:[^:]*:/\\1:$uid:$gid:/" /etc/passwd)
printf '%s\\n' "$passwd" > /etc/passwd
if [ "$gid" != "$oldgid" ]; then
  group=$(sed "s/^\\([^:]*:[^:]*\\):$oldgid:/\\1:$gid:/" /etc/group)
  printf '%s\\n' "$group" > /etc/group
fi
[ -d "$home" ] && chown -R "$uid:$gid" "$home" 2>/dev/null
exit 0`
