import { isHolmError } from '@holm/core'
import type { Probe, ProbeOptions, ProviderContext } from '@holm/core'
import type Docker from 'dockerode'
import type { Connection } from './connection.ts'
import { explainConnection, parseFailure } from './engine-errors.ts'
import type { Engine } from './engine.ts'

/** Milliseconds until an engine that says nothing counts as not answering. */
const deadlineMs = 2000

/** Never throws: what is wrong is in `reason`, what helps in `fix`. */
export async function probeEngine(
  engine: Engine,
  ctx: ProviderContext,
  options: ProbeOptions = {},
): Promise<Probe> {
  try {
    const connection = engine.connection()
    return await askEngine(engine, { connection, quick: options.quick === true }, ctx)
  } catch (error) {
    if (isHolmError(error)) return unusable(error.message, error.hint)
    return unusable(
      error instanceof Error ? error.message : String(error),
      'Set DOCKER_HOST to the address of the engine.',
    )
  }
}

async function askEngine(
  engine: Engine,
  { connection, quick }: { readonly connection: Connection; readonly quick: boolean },
  ctx: ProviderContext,
): Promise<Probe> {
  const docker = await engine.docker()
  const deadline = AbortSignal.timeout(deadlineMs)
  const abortSignal = AbortSignal.any([ctx.signal, deadline])
  try {
    if (quick) {
      await orAborted(docker.ping(), abortSignal)
      return { usable: true, limitations: [] }
    }
    const [version, info] = await Promise.all([
      orAborted(docker.version(), abortSignal),
      // podman takes its time to describe itself: what it does not tell soon is left out.
      orAborted(docker.info() as Promise<EngineInfo>, abortSignal).catch((): EngineInfo => ({})),
    ])
    return parseProbe(version, info)
  } catch (error) {
    if (deadline.aborted)
      return unusable(
        `the engine at ${connection.name} does not answer within ${deadlineMs} ms`,
        'Look at its log, and restart it: `sudo systemctl restart docker`.',
      )
    const failure = parseFailure(error)
    if (failure.status !== undefined)
      return unusable(
        `the engine at ${connection.name} answers: ${failure.message}`,
        'Look at the engine’s log.',
      )
    const { reason, fix } = explainConnection(failure, connection)
    return unusable(reason, fix)
  }
}

/** Neither call takes a signal in this library: the answer is not waited for. */
function orAborted<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  answer.catch(() => {})
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    answer.then(resolve, reject)
  })
}

function unusable(reason: string, fix: string | undefined): Probe {
  return { usable: false, reason, ...(fix !== undefined && { fix }), limitations: [] }
}

interface EngineInfo {
  readonly SecurityOptions?: readonly string[]
  readonly CgroupVersion?: string
  readonly CgroupDriver?: string
  readonly MemoryLimit?: boolean
  readonly PidsLimit?: boolean
  readonly CpuCfsQuota?: boolean
  readonly OSType?: string
}

/** Pure: what the engine says of itself. */
export function parseProbe(version: Docker.DockerVersion, info: EngineInfo): Probe {
  const podman = (version.Components ?? []).some(({ Name }) => /podman/i.test(Name))
  const rootless = (info.SecurityOptions ?? []).some((option) => option.includes('rootless'))
  const name = `${podman ? 'Podman' : 'Docker Engine'} ${version.Version}${rootless ? ' (rootless)' : ''}`
  if (info.OSType !== undefined && info.OSType !== 'linux' && info.OSType !== '') {
    return {
      ...unusable(`the engine runs ${info.OSType} containers`, 'Switch it to Linux containers.'),
      version: name,
    }
  }
  return { usable: true, version: name, limitations: limitations(info, rootless) }
}

function limitations(info: EngineInfo, rootless: boolean): readonly string[] {
  const missing = [
    info.MemoryLimit === false ? 'memory' : undefined,
    info.PidsLimit === false ? 'pids' : undefined,
    info.CpuCfsQuota === false ? 'cpus' : undefined,
  ].filter((limit) => limit !== undefined)
  return [
    ...(missing.length > 0 ? [`limits of ${missing.join(', ')} are not enforced by this engine`] : []),
    ...(rootless
      ? ['the engine runs without root: ports below 1024 and some network modes may be refused']
      : []),
  ]
}
