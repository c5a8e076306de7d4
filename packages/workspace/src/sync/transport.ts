import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HolmError } from '@holm/core'
import type { EnvironmentInfo, ExecRequest, HostApi, Process } from '@holm/core'
import { openBridge } from './bridge.ts'

/**
 * How rsync and scripts get into an environment: each as a program that holm starts there. An sshd in between would encrypt for a pipe
 * of this very machine, and cost more than the copying (docs/adr/0024).
 */
export interface Transport {
  /** What rsync calls the environment. */
  readonly host: string
  /** For rsync's `--rsh`; relative to `folder`, so that no quoting is needed whatever the folder's name is. */
  readonly rsh: string
  readonly folder: string
  sh(script: string, input?: string): Promise<string>
  said(): string
  close(): void
}

export type Reach = Pick<HostApi, 'exec'>

export interface TransportOptions {
  readonly host: Reach
  readonly environment: EnvironmentInfo
  /** Folder inside. */
  readonly inside: string
  readonly signal: AbortSignal
}

/** HOLM_TOOL_MISSING where there is no rsync inside. The folder inside is made where it is missing. */
export async function openTransport(options: TransportOptions): Promise<Transport> {
  const { host, environment, inside, signal } = options
  const exec = (request: ExecRequest): Promise<Process> =>
    host.exec({ ...request, environment: environment.name, signal })
  const sh = (script: string, input?: string): Promise<string> =>
    runScript(exec, { script, inside, name: environment.name, ...(input !== undefined && { input }) })
  await lookInside(exec, { inside, environment })
  // rsync names the other side first.
  const bridge = await openBridge(([, ...argv]) => exec({ argv, cwd: '/', stdin: 'pipe' }))
  const { folder, said, close } = bridge
  try {
    writeFileSync(join(folder, 'rsh'), `exec ${bridge.argv.map(quote).join(' ')} "$@"\n`)
  } catch (error) {
    close()
    throw error
  }
  return { host: environment.name, rsh: 'sh ./rsh', folder, sh, said, close }
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}

const look = `
mkdir -p -- "$1" && [ -w "$1" ] || exit 3
command -v rsync >/dev/null || exit 4
`

/** A new folder, or the empty one of a new volume, is given to whom the environment's programs run as. */
const give = `mkdir -p -- "$1" && [ -z "$(ls -A -- "$1")" ] && chown -- "$2" "$1"`

interface Collected {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Sees to it that files can be copied: the folder is made, by the environment's administrator where only that one may. */
async function lookInside(
  exec: (request: ExecRequest) => Promise<Process>,
  { inside, environment: { name } }: { readonly inside: string; readonly environment: EnvironmentInfo },
): Promise<void> {
  const run = async (script: string, args: readonly string[], user?: string): Promise<Collected> => {
    const argv = ['/bin/sh', '-c', script, 'holm-sync', ...args]
    return collect(await exec({ argv, cwd: '/', stdin: 'ignore', ...(user !== undefined && { user }) }))
  }
  let found = await run(look, [inside])
  if (found.code === 3) {
    const { stdout: owner } = await run('echo "$(id -u):$(id -g)"', [])
    await run(give, [inside, owner.trim()], 'root').catch(() => undefined)
    found = await run(look, [inside])
  }
  const { code, stderr } = found
  if (code === 0) return
  if (code === 4) {
    throw new HolmError('HOLM_TOOL_MISSING', `rsync is not installed in ${name}`, {
      hint: 'Add rsync to the packages of the blueprint, or install it inside.',
      details: { environment: name },
    })
  }
  throw new HolmError('HOLM_COMMAND_FAILED', `${inside} cannot be written in ${name}: ${stderr.trim()}`, {
    hint: 'Choose a folder that can, as the workdir of the blueprint.',
    details: { environment: name, folder: inside },
  })
}

async function runScript(
  exec: (request: ExecRequest) => Promise<Process>,
  { script, inside, name, input }: { script: string; inside: string; name: string; input?: string },
): Promise<string> {
  const argv = ['/bin/sh', '-c', `cd -- "$0" && { ${script}\n}`, inside]
  const running = await exec({ argv, cwd: '/', stdin: input === undefined ? 'ignore' : 'pipe' })
  const { code, stdout, stderr } = await collect(running, input)
  if (code === 0) return stdout
  throw new HolmError('HOLM_COMMAND_FAILED', `a script in ${name} ended with ${code}: ${stderr.trim()}`, {
    hint: `See what is the matter in ${inside}: holm shell ${name}`,
  })
}

/** Longer than any of them takes, also where thousands of files are put aside. */
const patienceMs = 600_000

/** More than any of holm's scripts prints: who is inside may print for ever. */
const most = 1_000_000

async function collect(running: Process, input?: string): Promise<Collected> {
  const texts = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    running[name].on('data', (data: Buffer) => {
      if (texts[name].length < most) texts[name] += data.toString()
    })
  }
  running.stdin?.on('error', () => undefined)
  running.stdin?.end(input)
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    reject(new HolmError('HOLM_TIMEOUT', `a script inside did not end within ${patienceMs / 1000} s`))
    void running.kill('SIGKILL').catch(() => undefined)
  }, patienceMs)
  try {
    const { code } = await Promise.race([running.exited, late])
    return { code, ...texts }
  } finally {
    clearTimeout(timer)
  }
}
