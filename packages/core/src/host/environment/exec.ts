import { HolmError, isHolmError } from '../../errors.ts'
import type { CallOptions, ExecOptions } from '../../host-api.ts'
import type { Process } from '../../process.ts'
import type { ExecRequest } from '../../provider.ts'
import type { HostContext } from '../context.ts'
import type { EnvironmentRecord } from '../state/index.ts'
import { withDefaults } from './exec-env.ts'
import { findRecord } from './find.ts'
import { readSecrets } from './secrets.ts'
import { knownUserEnv, type FoundIn } from './user-env.ts'
import { beginUse, isAsleep } from './uses.ts'

/** Starts a program in an environment, as its user, in its workdir, with its variables, unless the call says otherwise. */
export async function execIn(host: HostContext, options: ExecOptions): Promise<Process> {
  const { environment, projectFolder, signal, onEvent, unattended = false, ...given } = options
  if (given.argv.length === 0)
    throw new HolmError('HOLM_USAGE', 'no command was given', { hint: 'Say what to run: holm exec -- ls' })
  const record = findRecord(host, environment, projectFolder)
  const operation = host.operation(record.name, { ...(signal && { signal }), ...(onEvent && { onEvent }) })
  const provider = await host.provider(record.provider)
  if (unattended) return startIn({ host, record, provider, operation }, given)
  const end = beginUse(host, record.name)
  try {
    if (isAsleep(host, record.name))
      await wakeFirst(host, record.name, { ...(signal && { signal }), ...(onEvent && { onEvent }) })
    const process = await startIn({ host, record, provider, operation }, given)
    void process.exited.then(end, end)
    return process
  } catch (error) {
    end()
    throw error
  }
}

/** It was put to sleep because nobody used it. */
async function wakeFirst(host: HostContext, name: string, call: CallOptions): Promise<void> {
  const { wake } = await import('./idle.ts')
  await wake(host, name, call)
}

async function startIn({ host, record, provider, operation }: FoundIn, given: ExecRequest): Promise<Process> {
  const request = await completeRequest({ host, record, provider, operation }, given).catch(
    (error: unknown) => {
      throw explain(record, error)
    },
  )
  await host.registry.loadForHooks(['beforeExec', 'afterExec'])
  await host.hooks.before('beforeExec', { environment: record.name, provider: provider.id, request })
  const process = await provider.exec(record.name, request, operation.context).catch((error: unknown) => {
    throw explain(record, error)
  })
  if (host.hooks.tapped('afterExec')) {
    // Nobody waits for it here: the caller owns the process; a failing tap becomes a warning.
    void process.exited.then(
      (exit) => host.hooks.after('afterExec', { environment: record.name, request, exit }),
      () => undefined,
    )
  }
  return process
}

async function completeRequest(found: FoundIn, request: ExecRequest): Promise<ExecRequest> {
  const { host, record, operation } = found
  const { spec, runtimeUser, user = runtimeUser, workdir } = record.details
  const { env, runner } = host
  const secrets =
    spec === undefined ? {} : await readSecrets(spec.secrets, { env, runner, signal: operation.signal })
  const userEnv = await knownUserEnv(found)
  return withDefaults(request, { spec, user, workdir, userEnv, secrets })
}

function explain(record: EnvironmentRecord, error: unknown): unknown {
  if (!isHolmError(error)) return error
  if (error.code === 'HOLM_ENVIRONMENT_NOT_RUNNING') {
    return new HolmError(error.code, error.message, {
      hint: `Start it with: holm start ${record.name}`,
      cause: error,
      details: { name: record.name },
    })
  }
  if (error.code === 'HOLM_ENVIRONMENT_NOT_FOUND') {
    return new HolmError(error.code, `environment ${record.name} was removed outside holm`, {
      hint: 'Make it anew with: holm up',
      cause: error,
      details: { name: record.name },
    })
  }
  return error
}
