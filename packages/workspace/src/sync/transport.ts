import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HolmError } from '@holm/core'
import type { EnvironmentInfo, ExecRequest, HostApi, PluginApi, Process } from '@holm/core'
import type { WorkspaceConfig } from '../options.ts'
import { renderConfig } from '../ssh/config.ts'
import { openKeys, sshRequest, sshUser } from '../ssh/entry.ts'
import { openBridge, type Bridge } from './bridge.ts'

/** How rsync and scripts get into an environment. */
export interface Transport {
  /** 'exec': without an sshd inside, rsync is started by holm as any program is. */
  readonly kind: 'ssh' | 'exec'
  /** What rsync calls the environment. */
  readonly host: string
  /** For rsync's `--rsh`; relative to `folder`, so that no quoting is needed whatever the folder's name is. */
  readonly rsh: string
  readonly folder: string
  sh(script: string, input?: string): Promise<string>
  said(): string
  close(): void
}

/** A way in; without `providers` rsync is started directly. */
export type Reach = Pick<HostApi, 'exec'> & Partial<Pick<HostApi, 'providers'>>

export interface TransportOptions {
  readonly api: PluginApi<WorkspaceConfig>
  readonly host: Reach
  readonly environment: EnvironmentInfo
  /** Folder inside. */
  readonly inside: string
  readonly signal: AbortSignal
}

/** HOLM_TOOL_MISSING where there is no rsync inside. The folder inside is made where it is missing. */
export async function openTransport(options: TransportOptions): Promise<Transport> {
  const { api, host, environment, inside, signal } = options
  const exec = (request: ExecRequest): Promise<Process> =>
    host.exec({ ...request, environment: environment.name, signal })
  const sh = (script: string, input?: string): Promise<string> =>
    runScript(exec, { script, inside, name: environment.name, ...(input !== undefined && { input }) })
  const found = await lookInside(exec, { inside, environment })
  const { providers } = host
  const entry = found.includes('sshd') && (await hasClient(api)) ? providers : undefined
  const alias = `ws.${environment.name}`
  const bridge = await openBridge(async (words) =>
    exec(
      entry ? await sshRequest(api, entry, environment) : { argv: words.slice(1), cwd: '/', stdin: 'pipe' },
    ),
  )
  try {
    const user = entry && (await sshUser(entry, environment))
    const command =
      user === undefined ? bridge.argv : await writeSsh(bridge, { api, environment, alias, user })
    writeFileSync(join(bridge.folder, 'rsh'), `exec ${command.map(quote).join(' ')} "$@"\n`)
  } catch (error) {
    bridge.close()
    throw error
  }
  const { folder, said, close } = bridge
  return { kind: entry ? 'ssh' : 'exec', host: alias, rsh: 'sh ./rsh', folder, sh, said, close }
}

async function writeSsh(
  { folder, argv }: Bridge,
  {
    api,
    environment,
    alias,
    user,
  }: Pick<TransportOptions, 'api' | 'environment'> & { readonly alias: string; readonly user: string },
): Promise<readonly string[]> {
  const text = renderConfig({
    hosts: [{ name: environment.name, user }],
    keys: await openKeys(api),
    holm: argv,
    env: {},
    forwardAgent: false,
  })
  const config = join(folder, 'config')
  writeFileSync(config, `${text}  BatchMode yes\n  LogLevel ERROR\n`, { mode: 0o600 })
  if (!text.includes(alias)) throw new HolmError('HOLM_BUG', `${alias} is not in the configuration of ssh`)
  return ['ssh', '-F', config]
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}

async function hasClient({ runner }: PluginApi<WorkspaceConfig>): Promise<boolean> {
  try {
    return (await runner.run(['ssh', '-V'])).code === 0
  } catch {
    return false
  }
}

const look = `
mkdir -p -- "$1" && [ -w "$1" ] || exit 3
command -v rsync >/dev/null || exit 4
if command -v sshd >/dev/null || [ -x /usr/sbin/sshd ]; then echo sshd; fi
`

/** A new folder, or the empty one of a new volume, is given to whom the environment's programs run as. */
const give = `mkdir -p -- "$1" && [ -z "$(ls -A -- "$1")" ] && chown -- "$2" "$1"`

interface Collected {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** What there is to copy with; the folder is made, by the environment's administrator where only that one may. */
async function lookInside(
  exec: (request: ExecRequest) => Promise<Process>,
  { inside, environment: { name } }: { readonly inside: string; readonly environment: EnvironmentInfo },
): Promise<string> {
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
  const { code, stdout, stderr } = found
  if (code === 0) return stdout
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
