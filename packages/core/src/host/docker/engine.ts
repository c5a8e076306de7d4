import { HolmError, isHolmError } from '../../errors.ts'
import type { Provider } from '../../provider.ts'
import type { EnvironmentSpec } from '../../spec.ts'
import type { HostContext } from '../context.ts'
import { createAdminInside } from '../environment/inside.ts'
import type { Operation } from '../operation.ts'
import type { InsideResult } from '../provision/index.ts'
import { logFile, startScript, stopScript } from './scripts.ts'

export interface DockerWork {
  readonly host: Pick<HostContext, 'config'>
  readonly provider: Provider
  readonly operation: Operation
  readonly spec: EnvironmentSpec
  /** Who programs run as where the spec names nobody. */
  readonly user?: string | undefined
}

/**
 * Starts the engine inside unless it answers, and waits until it does. What it has to say besides are warnings. One that ended or
 * does not answer in time is HOLM_ENVIRONMENT_FAILED, with its last lines.
 */
export async function startDocker(work: DockerWork): Promise<void> {
  const { spec, operation, host } = work
  const seconds = Math.ceil(host.config.values['up.startTimeout'] / 1000)
  const user = spec.exec.user ?? spec.user ?? work.user ?? ''
  await operation.step('docker', async () => {
    const { code, stdout, stderr } = await runInside(work, startScript, { seconds, user })
    if (code !== 0) throw failed(spec.name, stderr)
    for (const line of linesOf(stdout)) operation.warn(line)
  })
}

/** Lets the containers inside end in order, as far as `graceMs` goes. Whatever goes wrong, the environment is stopped all the same. */
export async function stopDocker(work: DockerWork, graceMs: number): Promise<void> {
  const { operation } = work
  try {
    await runInside(work, stopScript, { seconds: Math.ceil(graceMs / 1000), user: '' })
  } catch (error) {
    if (operation.signal.aborted || !isHolmError(error)) throw error
    if (error.code !== 'HOLM_ENVIRONMENT_NOT_RUNNING' && error.code !== 'HOLM_ENVIRONMENT_NOT_FOUND')
      operation.warn(`the Docker engine inside was not stopped in order: ${error.message}`)
  }
}

function runInside(
  { provider, operation, spec }: DockerWork,
  script: string,
  { seconds, user }: { readonly seconds: number; readonly user: string },
): Promise<InsideResult> {
  const inside = createAdminInside({ provider, operation, spec })
  const env = {
    DOCKER_SECONDS: String(seconds),
    DOCKER_USER: user,
    DOCKER_PLACE: provider.traits.isolation === 'vm' ? 'vm' : 'container',
  }
  return inside.run({ argv: ['sh', '-c', script], cwd: '/', env })
}

function failed(name: string, stderr: string): HolmError {
  const said = linesOf(stderr)
  const [cause = 'nobody said why', ...lines] = said.slice(
    Math.max(
      0,
      said.findIndex((line) => line.startsWith(mark)),
    ),
  )
  return new HolmError(
    'HOLM_ENVIRONMENT_FAILED',
    [`the Docker engine inside ${name} did not start: ${cause.replace(mark, '')}`, ...lines].join('\n'),
    {
      hint: `Its log is ${logFile} inside; keep what is made for a look at it with: holm up --keep`,
      details: { name, log: logFile },
    },
  )
}

const mark = 'cause: '

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line.trim() !== '')
}
