import { HolmError, assertNotAborted } from '../../errors.ts'
import type { Provider } from '../../provider.ts'
import type { EnvironmentSpec, LifecycleStage } from '../../spec.ts'
import type { HostContext } from '../context.ts'
import type { Operation } from '../operation.ts'
import { chainScripts, listChain, runStage, type Inside } from '../provision/index.ts'
import { definedOnly } from '../runner.ts'
import { createInside } from './inside.ts'

export interface LifecycleWork {
  readonly provider: Provider
  readonly operation: Operation
  readonly spec: EnvironmentSpec
  readonly userEnv: Readonly<Record<string, string>>
  readonly secrets: Readonly<Record<string, string>>
}

const order: readonly LifecycleStage[] = [
  'initialize',
  'onCreate',
  'updateContent',
  'postCreate',
  'postStart',
  'postAttach',
]

/**
 * Runs the stages in order. holm has no daemon, so stages after `waitFor` run here, too; they can no longer fail `up`,
 * only warn, and a failure stops the stages behind it, as the devcontainer specification asks.
 */
export async function runLifecycle(work: LifecycleWork, stages: readonly LifecycleStage[]): Promise<void> {
  const { spec, operation } = work
  const wanted = stages.filter((stage) => spec.lifecycle[stage].length > 0)
  if (wanted.length === 0) return
  const chain = listChain(wanted.flatMap((stage) => spec.lifecycle[stage]))
  const inside = chainScripts(insideAsUser(work), chain)
  for (const stage of wanted) {
    assertNotAborted(operation.signal)
    const late = order.indexOf(stage) > order.indexOf(spec.lifecycle.waitFor)
    const run = (): Promise<void> =>
      runStage({ stage, commands: spec.lifecycle[stage], inside, reporter: operation })
    if (!late) {
      await run()
      continue
    }
    const failure = await run().then(
      () => undefined,
      (error: unknown) => error as Error,
    )
    if (operation.signal.aborted) throw failure ?? new HolmError('HOLM_INTERRUPTED', 'interrupted')
    if (failure) {
      operation.warn(
        `${stage} failed: ${failure.message}`,
        `The environment is up; repair the command and run it with: holm exec ${spec.name} -- …`,
      )
      return
    }
  }
}

/** Does the blueprint run anything inside as its user? */
export function runsCommands({ lifecycle }: EnvironmentSpec): boolean {
  return order.some((stage) => stage !== 'initialize' && lifecycle[stage].length > 0)
}

/** The environment as its user works in it. */
export function insideAsUser({ provider, operation, spec, userEnv, secrets }: LifecycleWork): Inside {
  return createInside({
    provider,
    name: spec.name,
    operation,
    defaults: { spec, user: spec.exec.user, workdir: spec.exec.workdir, userEnv, secrets },
  })
}

/** `initialize` runs on this machine, in the project folder, before anything is made. */
export async function runInitialize(
  host: HostContext,
  { spec, operation }: { readonly spec: EnvironmentSpec; readonly operation: Operation },
): Promise<void> {
  const commands = spec.lifecycle.initialize
  if (commands.length === 0) return
  const here: Inside = {
    run: async ({ argv, env, input, signal }) =>
      host.runner.run(argv, {
        cwd: spec.origin.project,
        signal: signal ?? operation.signal,
        ...(env === undefined ? {} : { env: { ...definedOnly(host.env), ...env } }),
        ...(input === undefined ? {} : { input }),
      }),
  }
  await runStage({ stage: 'initialize', commands, inside: here, reporter: operation })
}
