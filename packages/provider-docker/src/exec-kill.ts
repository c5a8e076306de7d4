import { readFile } from 'node:fs/promises'
import { signalNumber } from '@holm/core'
import type Docker from 'dockerode'
import type { Engine } from './engine.ts'
import { awaitExitCode } from './exec-code.ts'
import { containerName } from './names.ts'

/**
 * The engine has no call to signal an exec, and tells only the process id outside the container. So the program is found
 * when a signal is needed, and starting it costs nothing:
 * 1. this machine's /proc maps the outer id to the inner one, when the engine runs here;
 * 2. else (a virtual machine, another pid namespace) a script inside looks for this variable, which every exec carries,
 *    among the processes that entered from outside (parent 0).
 * An exec is the leader of its own session and group: the signal goes to the group.
 */
export const markerVariable = 'HOLM_EXEC'

export interface KillRequest {
  readonly engine: Engine
  readonly name: string
  readonly exec: Docker.Exec
  readonly marker: string
  readonly request: { readonly user?: string }
  readonly signal: NodeJS.Signals
  readonly isOver: () => boolean
}

/** How long a program may take to appear after its start was asked for, milliseconds. */
const appearMs = 5000

/** Returns when the signal was sent, or the program has ended. */
export async function killExec(kill: KillRequest): Promise<void> {
  const ctx = { signal: AbortSignal.timeout(appearMs * 2) }
  const deadline = performance.now() + appearMs
  await kill.engine.use(
    { ctx, action: `signal a program in ${kill.name}`, environment: kill.name },
    async (docker) => {
      for (let delay = 5; !kill.isOver() && performance.now() < deadline; delay = Math.min(delay * 2, 100)) {
        const info = await kill.exec.inspect().catch(() => undefined)
        if (!info || (!info.Running && info.ExitCode !== null)) return
        if (info.Pid > 0 && (await signalInside(docker, kill, info))) return
        await new Promise((resolve) => setTimeout(resolve, delay))
      }
    },
  )
}

async function signalInside(
  docker: Docker,
  kill: KillRequest,
  info: Docker.ExecInspectInfo,
): Promise<boolean> {
  const number = String(signalNumber(kill.signal))
  const pid = await innerPid(info)
  if (pid !== undefined) {
    await runHelper(docker, kill, { argv: ['/bin/sh', '-c', groupScript, 'sh', number, pid], user: '0' })
    return true
  }
  const argv = ['/bin/sh', '-c', searchScript, 'sh', number, `${markerVariable}=${kill.marker}`]
  // As the program's own user: root without CAP_SYS_PTRACE cannot read another user's environment.
  return (
    (await runHelper(docker, kill, {
      argv,
      ...(kill.request.user !== undefined && { user: kill.request.user }),
    })) === 0
  )
}

/** Id inside, from this machine's /proc; undefined when that process is not the container's. */
async function innerPid(info: Docker.ExecInspectInfo): Promise<string | undefined> {
  try {
    const cgroup = await readFile(`/proc/${info.Pid}/cgroup`, 'utf8')
    if (!cgroup.includes(info.ContainerID)) return undefined
    return parseInnerPid(await readFile(`/proc/${info.Pid}/status`, 'utf8'))
  } catch {
    return undefined
  }
}

/** Last column of "NSpid:"; undefined when the process is in our own pid namespace or the kernel does not tell. */
export function parseInnerPid(status: string): string | undefined {
  const ids = /^NSpid:\s+(.+)$/m.exec(status)?.[1]?.trim().split(/\s+/)
  return ids && ids.length > 1 ? ids.at(-1) : undefined
}

const groupScript = 'kill -s "$1" -- "-$2" 2>/dev/null || kill -s "$1" "$2" 2>/dev/null'

/** Builtins of a POSIX shell only. After "pid (any name) ": state, parent, group… `read` drops the NULs of environ. */
export const searchScript = `
signal=$1 marker=$2 found=1
for folder in /proc/[0-9]*; do
  pid=\${folder#/proc/}
  { read -r stat < "$folder/stat"; } 2>/dev/null || continue
  set -- \${stat##*) }
  [ "$2" = 0 ] && [ "$pid" != 1 ] || continue
  { while IFS= read -r line || [ -n "$line" ]; do
    case $line in *"$marker"*) kill -s "$signal" -- "-$pid" || kill -s "$signal" "$pid"; found=0; break;; esac
  done < "$folder/environ"; } 2>/dev/null
done
exit $found`

/** Exit code of a short program inside. */
async function runHelper(
  docker: Docker,
  kill: KillRequest,
  command: { readonly argv: string[]; readonly user?: string },
): Promise<number> {
  const container = docker.getContainer(containerName(kill.engine.namespace, kill.name))
  const exec = await container.exec({
    Cmd: command.argv,
    AttachStdout: true,
    AttachStderr: true,
    ...(command.user !== undefined && { User: command.user }),
  })
  const stream = await exec.start({ hijack: true, stdin: false })
  for await (const _ of stream) continue
  return awaitExitCode(exec)
}
