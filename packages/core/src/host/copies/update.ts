import { HolmError } from '../../errors.ts'
import type { UpdateResult } from '../../copies-api.ts'
import type { CallOptions } from '../../host-api.ts'
import type { EnvironmentSpec, Provision } from '../../spec.ts'
import { diffSpecs, hashSpec } from '../blueprint/index.ts'
import type { HostContext } from '../context.ts'
import { inspect } from '../environment/ask.ts'
import { provisionEnvironment } from '../environment/create.ts'
import { infoOf } from '../environment/info.ts'
import { findEnvironment } from '../environment/manage.ts'
import { planUp } from '../environment/plan.ts'
import { readSecrets } from '../environment/secrets.ts'
import { hasOwnSource, loadSource } from '../environment/source.ts'
import type { EnvironmentRecord } from '../state/index.ts'

const installed = ['packages', 'tools', 'scripts'] as const

/** Installs again on top of what runs. An unchanged blueprint means everything, a changed one what changed. */
export async function updateEnvironment(
  host: HostContext,
  name: string | undefined,
  options: CallOptions & { readonly projectFolder?: string },
): Promise<UpdateResult> {
  const { record, provider, operation } = await findEnvironment(host, name, options)
  assertOwnSource(record)
  const loaded = await loadSource(host, record)
  const identity = { loaded, name: record.name, record }
  const plan = await planUp({ host, identity, options: { provider: record.provider }, operation })
  return host.state.locks.hold(record.name, 'update', async () => {
    const { status } = await inspect(provider, record.name, operation)
    if (status !== 'running') throw notRunning(record.name, status)
    const before = record.details.declared ?? record.details.spec
    const changed = before === undefined ? [...installed] : diffSpecs(before, plan.spec)
    const wanted = installed.filter((key) => changed.length === 0 || changed.includes(key))
    const secrets = await readSecrets(plan.spec.secrets, {
      env: host.env,
      runner: host.runner,
      signal: operation.signal,
    })
    operation.hide(Object.values(secrets))
    const own = record.details.spec ?? plan.spec
    const provision = partOf(plan.spec.provision, wanted)
    if (wanted.length > 0)
      await provisionEnvironment({ host, plan, operation }, { ...own, provision }, secrets)
    const next = recordOf(record, plan.spec)
    host.state.records.put(next)
    return {
      environment: infoOf(await inspect(provider, record.name, operation), next),
      applied: wanted.filter((key) => isAsked(plan.spec.provision, key)),
      pending: changed.filter((key) => !installed.some((each) => each === key)),
      steps: operation.steps,
      warnings: operation.warnings,
    }
  })
}

function assertOwnSource(record: EnvironmentRecord): void {
  if (hasOwnSource(record)) return
  const { name, source } = record
  throw new HolmError(
    'HOLM_USAGE',
    `environment ${name} has no blueprint of its own: it is a ${source.split(':')[0]}`,
    {
      hint: 'Install what it needs with holm exec, or update its origin and clone that.',
      details: { name, source },
    },
  )
}

function notRunning(name: string, status: string): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_NOT_RUNNING', `environment ${name} is ${status}`, {
    hint: `Start it with: holm start ${name}`,
    details: { name },
  })
}

function partOf(provision: Provision, wanted: readonly (typeof installed)[number][]): Provision {
  return {
    packages: wanted.includes('packages') ? provision.packages : [],
    tools: wanted.includes('tools') ? provision.tools : {},
    setup: wanted.includes('scripts') ? provision.setup : [],
    postInstall: wanted.includes('scripts') ? provision.postInstall : [],
  }
}

function isAsked(
  { packages, tools, setup, postInstall }: Provision,
  key: (typeof installed)[number],
): boolean {
  if (key === 'packages') return packages.length > 0
  if (key === 'tools') return Object.keys(tools).length > 0
  return setup.length + postInstall.length > 0
}

/** What was not applied stays as it was declared, so that the next `up` still tells of it. */
function recordOf(record: EnvironmentRecord, fresh: EnvironmentSpec): EnvironmentRecord {
  const { details } = record
  const before = details.declared ?? details.spec
  const declared = before === undefined ? fresh : { ...before, provision: fresh.provision }
  const { image: _image, ...rest } = details
  return {
    ...record,
    hash: hashSpec(declared),
    details: {
      ...rest,
      declared,
      ...(details.spec && { spec: { ...details.spec, provision: fresh.provision } }),
    },
  }
}
