import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { HolmError, isHolmError } from '../../errors.ts'
import { requireFacet } from '../../facets.ts'
import type { CloneOptions, CloneResult } from '../../copies-api.ts'
import type { EnvironmentInfo } from '../../host-api.ts'
import type { EnvironmentState } from '../../provider.ts'
import type { EnvironmentSpec, Mount } from '../../spec.ts'
import { assertEnvironmentName } from '../blueprint/environment-name.ts'
import { serviceNetwork } from '../blueprint/service-network.ts'
import type { HostContext } from '../context.ts'
import { assertDocker, ownVolumes, reownMounts, startDockerInside } from '../docker/index.ts'
import { abandonAfter } from '../environment/abandon.ts'
import { leasePorts } from '../environment/lease-ports.ts'
import { infoOf } from '../environment/info.ts'
import { labelsOf } from '../environment/labels.ts'
import { runLifecycle } from '../environment/lifecycle.ts'
import { findEnvironment, type Found } from '../environment/manage.ts'
import { readSecrets } from '../environment/secrets.ts'
import { startWithin } from '../environment/start.ts'
import { knownUserEnv } from '../environment/user-env.ts'
import type { Operation } from '../operation.ts'
import type { EnvironmentRecord } from '../state/index.ts'
import { writableMounts } from './files.ts'
import { renewIdentity } from './identity.ts'
import { forgetCopies, providersWith } from './snapshots.ts'
import { successorOf } from './successor.ts'

/** Enough to keep a machine busy, few enough that the runtime answers in time. */
const atOnce = 4

/** One result for each name; a clone that failed leaves nothing and does not stop the others. */
export async function cloneEnvironments(
  host: HostContext,
  { environment, name }: { readonly environment: string | undefined; readonly name: string },
  options: CloneOptions,
): Promise<CloneResult[]> {
  const names = namesOf(name, options.count ?? 1)
  const found = await findEnvironment(host, environment, options)
  requireFacet(found.provider, 'clone', providersWith(host, 'clone'))
  const { spec, partOf } = found.record.details
  if (partOf) throw isService(found.record.name, partOf)
  if (spec === undefined) throw unknownSpec(found.record.name)
  assertDocker(host, found.provider, spec)
  const results: CloneResult[] = []
  const queue = [...names.entries()]
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift())
      results[next[0]] = await tryClone({
        host,
        operation: host.operation(next[1], options),
        found,
        spec,
        name: next[1],
        options,
      })
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, names.length) }, work))
  return results
}

export function namesOf(name: string, count: number): readonly string[] {
  if (!Number.isInteger(count) || count < 1 || count > 1000) {
    throw new HolmError('HOLM_USAGE', `${count} clones cannot be made`, { hint: 'Ask for 1 to 1000.' })
  }
  const names = count === 1 ? [name] : Array.from({ length: count }, (_, index) => `${name}-${index + 1}`)
  for (const each of names) assertEnvironmentName(each)
  return names
}

function isService(
  name: string,
  partOf: { readonly environment: string; readonly service: string },
): HolmError {
  return new HolmError('HOLM_USAGE', `${name} is the service ${partOf.service} of ${partOf.environment}`, {
    hint: `Clone that: holm clone ${partOf.environment} NAME`,
    details: { name, ...partOf },
  })
}

function unknownSpec(name: string): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_FAILED', `holm no longer knows how ${name} was made`, {
    hint: 'Make it anew with: holm up --recreate',
    details: { name },
  })
}

interface Cloning {
  readonly host: HostContext
  readonly operation: Operation
  readonly found: Found
  readonly spec: EnvironmentSpec
  readonly name: string
  readonly options: CloneOptions
}

async function tryClone(cloning: Cloning): Promise<CloneResult> {
  const { host, name } = cloning
  try {
    const environment = await host.state.locks.hold(name, 'clone', () => cloneOne(cloning))
    return { name, environment }
  } catch (error) {
    if (!isHolmError(error)) throw error
    const { code, message, hint } = error
    return { name, error: { code, message, ...(hint === undefined ? {} : { hint }) } }
  }
}

async function cloneOne(cloning: Cloning): Promise<EnvironmentInfo> {
  const { host, operation, found, name } = cloning
  const { provider } = found
  const taken = host.state.records.get(name)
  if (taken?.phase === 'creating') await removeClone(cloning)
  else if (taken) {
    throw new HolmError('HOLM_ENVIRONMENT_CONFLICT', `there is an environment ${name} already`, {
      hint: `Choose another name, or remove it with: holm destroy ${name}`,
      details: { name },
    })
  }
  const draft = draftOf(cloning)
  host.state.records.put(draft)
  try {
    const spec = await leasePorts(host, draft, await ownFiles(cloning))
    const record = { ...draft, details: { ...draft.details, spec } }
    host.state.records.put(record)
    const state = await operation.step('clone', () =>
      abandonAfter(
        requireFacet(provider, 'clone').clone(found.record.name, spec, operation.context),
        operation.signal,
      ),
    )
    const { start, successor } = cloning.options
    if (start === false || successor) return leaveStopped(cloning, record, state)
    const info = await wakeClone(host, { ...found, record, operation }, { spec })
    host.state.records.put({ ...record, phase: 'ready' })
    return info
  } catch (error) {
    await leaveNothing(cloning, error)
    throw error
  }
}

/** Its first start makes it a machine of its own (see `wakeRecorded`); a successor is the machine that its origin was. */
function leaveStopped(
  { host, operation, options }: Cloning,
  record: EnvironmentRecord,
  state: EnvironmentState,
): EnvironmentInfo {
  const details = options.successor ? record.details : { ...record.details, unborn: true as const }
  const next: EnvironmentRecord = { ...record, phase: 'ready', details }
  host.state.records.put(next)
  operation.emit({ type: 'state', environment: record.name, status: state.status, message: 'cloned' })
  return infoOf(state, next)
}

function draftOf(cloning: Cloning): EnvironmentRecord {
  const { found, name, options } = cloning
  return options.successor ? successorOf(found.record, name, options.successor) : cloneOf(cloning)
}

/** It belongs to no project folder: `holm up` and `holm exec` there go on to mean the origin. */
function cloneOf({ host, found: { record }, spec: given, name, options }: Cloning): EnvironmentRecord {
  const source = `clone:${record.name}`
  const origin = { ...given.origin, source, project: '' }
  const hostname = given.hostname === given.name ? name : given.hostname
  const network = given.network === serviceNetwork(given.name) ? { network: serviceNetwork(name) } : undefined
  const own = { mounts: reownMounts(given.mounts, name), ports: freePorts(given) }
  const bare: EnvironmentSpec = { ...given, name, hostname, origin, ...own, ...network }
  const labels = labelsOf({ namespace: host.namespace, spec: bare, hash: record.hash })
  const { runtimeUser, user, workdir, userEnv, check } = record.details
  return {
    ...record,
    name,
    phase: 'creating',
    project: '',
    source,
    createdAt: new Date().toISOString(),
    details: {
      blueprint: record.details.blueprint,
      spec: { ...bare, labels },
      ...(userEnv && { userEnv }),
      ...(check && { check }),
      ...(user !== undefined && { user }),
      ...(runtimeUser !== undefined && { runtimeUser }),
      ...(workdir !== undefined && { workdir }),
      ...(options.copyFiles === true && { owned: [folderOf(host, name)] }),
    },
  }
}

/** No port of this machine is taken over from the origin. */
function freePorts({ ports }: EnvironmentSpec): EnvironmentSpec['ports'] {
  return ports.map(({ host: _host, ...port }) => port)
}

export function folderOf(host: HostContext, name: string): string {
  return join(host.paths.data, 'files', host.namespace, name)
}

/** The spec, with copies in place of the writable bind mounts where they are asked for. */
async function ownFiles(cloning: Cloning): Promise<EnvironmentSpec> {
  const { host, operation } = cloning
  const spec = draftOf(cloning).details.spec ?? cloning.spec
  if (cloning.options.copyFiles !== true) return spec
  const folder = folderOf(host, cloning.name)
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const writable = new Set(writableMounts(cloning.spec).map(({ source }) => source))
  return operation.step('files', async () => {
    const mounts: Mount[] = []
    for (const [index, mount] of spec.mounts.entries()) {
      if (mount.type !== 'bind' || !writable.has(mount.source)) mounts.push(mount)
      else {
        const source = join(folder, String(index))
        await copy(host, { from: mount.source, to: source }, operation)
        mounts.push({ ...mount, source })
      }
    }
    return { ...spec, mounts }
  })
}

async function copy(
  host: HostContext,
  { from, to }: { readonly from: string; readonly to: string },
  operation: Operation,
): Promise<void> {
  const how = host.platform === 'linux' ? ['-a', '--reflink=auto', '-T'] : ['-Rp']
  const { code, stderr } = await host.runner.run(['cp', ...how, from, to], { signal: operation.signal })
  if (code === 0) return
  const full = /No space left|Disk quota/i.test(stderr)
  const last = stderr.trim().split('\n').at(-1) ?? ''
  throw new HolmError(full ? 'HOLM_DISK_FULL' : 'HOLM_COMMAND_FAILED', `cannot copy ${from}: ${last}`, {
    hint: full
      ? 'Free some space, then try again.'
      : 'Make those files readable, or clone without --copy-files.',
  })
}

/** Starts it as a machine of its own, and runs what the blueprint runs at every start. */
export async function wakeClone(
  host: HostContext,
  { record, provider, operation }: Found,
  { spec, onStarted }: { readonly spec: EnvironmentSpec; readonly onStarted?: () => Promise<void> },
): Promise<EnvironmentInfo> {
  const state = await startWithin(host, provider, { name: spec.name, operation })
  await onStarted?.()
  await renewIdentity({ provider, operation, spec })
  await startDockerInside({ host, provider, operation, spec, user: state.user })
  await runPostStart(host, { record, provider, operation }, spec)
  operation.emit({ type: 'state', environment: spec.name, status: state.status, message: 'cloned' })
  return infoOf(state, record)
}

async function runPostStart(
  host: HostContext,
  { record, provider, operation }: Found,
  spec: EnvironmentSpec,
): Promise<void> {
  if (spec.lifecycle.postStart.length === 0) return
  const sources = { env: host.env, runner: host.runner, signal: operation.signal }
  const secrets = await readSecrets(spec.secrets, sources)
  operation.hide(Object.values(secrets))
  const userEnv = await knownUserEnv({ host, record, provider, operation })
  await runLifecycle({ provider, operation, spec, userEnv, secrets }, ['postStart'])
}

async function removeClone({ host, operation, found, name }: Cloning): Promise<void> {
  const { owned, spec } = host.state.records.get(name)?.details ?? {}
  await found.provider.remove(name, { volumes: false, own: ownVolumes(spec) }, operation.context)
  host.state.records.remove(name)
  await forgetCopies(host, { name, owned })
}

const cleanUpMs = 30_000

async function leaveNothing(cloning: Cloning, cause: unknown): Promise<void> {
  const { host, operation, name } = cloning
  const cleaning = operation.withSignal(AbortSignal.timeout(cleanUpMs))
  try {
    if (isHolmError(cause, 'HOLM_ENVIRONMENT_CONFLICT')) host.state.records.remove(name)
    else await removeClone({ ...cloning, operation: cleaning })
  } catch (error) {
    operation.warn(
      `the half-made environment ${name} could not be removed: ${(error as Error).message}`,
      `Remove it with: holm destroy ${name}`,
    )
  }
}
