import { closeSync, mkdirSync, openSync } from 'node:fs'
import path from 'node:path'
import { createServer } from 'node:net'
import { HolmError, abortError, assertNotAborted, isHolmError } from '@holm/core'
import type { EnvironmentState, PortBinding, PortRequest, ProviderContext } from '@holm/core'
import { isFree } from '../host-ports.ts'
import { buildConfig, buildDevices, etcCommands, type Address, type BuildInput } from './build.ts'
import { runInside } from './exec.ts'
import { changeState, haltInstance } from './lifecycle.ts'
import { findAddress, resolverOf } from './place.ts'
import { parseRecord, type IncusRecord, type Instance } from './record.ts'
import { pathOf, type IncusSession } from './session.ts'
import { parseState, statusOf } from './state.ts'

const attempts = 12

export async function startEnvironment(
  session: IncusSession,
  name: string,
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  assertNotAborted(ctx.signal)
  await session.require(name, ctx)
  return session.locked(name, ctx, async () => {
    const instance = await session.require(name, ctx)
    if (statusOf(instance) !== 'stopped') return parseState(instance)
    // Somebody looked into it and was killed.
    if (instance.status !== 'Stopped') await haltInstance(session, instance, 0)
    const input = await launch(session, instance, ctx)
    const started = await session.require(name, ctx)
    try {
      assertNotAborted(ctx.signal)
      if (input.record.main === 'base')
        await runInside(session, started, { script: etcCommands(input).join('; '), ctx })
    } catch (error) {
      await haltInstance(session, started, 0)
      throw error
    }
    return parseState(started)
  })
}

/** What another environment has found out about this daemon need not be found out again by a start that fails. */
async function knownIds(
  session: IncusSession,
  record: IncusRecord,
  ctx: ProviderContext,
): Promise<IncusRecord> {
  if (record.ids !== 'mapped' || !record.mounts.some(({ type }) => type === 'bind')) return record
  const all = await session.list(ctx)
  const same = all.some((each) => parseRecord(each).ids === 'same')
  return same ? { ...record, ids: 'same' } : record
}

/** What one attempt taught the next one. */
interface Lessons {
  readonly addresses: Set<string>
  readonly ports: Set<number>
}

/** Address and free ports are chosen here and refused by the daemon when somebody else was quicker: then others are. */
async function launch(session: IncusSession, instance: Instance, ctx: ProviderContext): Promise<BuildInput> {
  const lessons: Lessons = { addresses: new Set(), ports: new Set() }
  let record = await knownIds(session, parseRecord(instance), ctx)
  for (let attempt = 1; ; attempt += 1) {
    const input = await prepare(session, { instance, record, lessons }, ctx)
    await configure(session, instance, input)
    try {
      if (ctx.signal.aborted) throw abortError(ctx.signal)
      await changeState(session, instance.name, { action: 'start' })
      return input
    } catch (cause) {
      const error = await tellTaken(cause, input.record)
      const next = attempt < attempts ? learn(error, input, lessons) : undefined
      if (next === undefined) throw explain(error, input.record)
      record = next
    }
  }
}

interface Preparing {
  readonly instance: Instance
  readonly record: IncusRecord
  readonly lessons: Lessons
}

async function prepare(
  session: IncusSession,
  { instance, record, lessons }: Preparing,
  ctx: ProviderContext,
): Promise<BuildInput> {
  const network = instance.devices['eth0']?.['network']
  const address =
    network === undefined
      ? undefined
      : await findAddress(session.client(), { network, instance, avoid: lessons.addresses }, ctx)
  const bindings =
    record.network === 'none' || record.network === 'host'
      ? []
      : await choosePorts(record.ports, lessons.ports)
  return describe(session, { instance, record: { ...record, bindings }, ...(address ? { address } : {}) })
}

export function describe(
  session: IncusSession,
  {
    instance,
    record,
    address,
  }: { readonly instance: Instance; readonly record: IncusRecord; readonly address?: Address },
): BuildInput {
  const network = instance.devices['eth0']?.['network']
  return {
    namespace: session.namespace,
    record,
    pool: instance.devices['root']?.['pool'] ?? '',
    resolver: resolverOf(record, address),
    ...(network === undefined ? {} : { network: { name: network, ...(address ? { address } : {}) } }),
  }
}

/** Writes the whole description; what the daemon itself keeps there stays. */
export async function configure(
  session: IncusSession,
  { name }: Pick<Instance, 'name'>,
  { extra = {}, ...input }: BuildInput & { readonly extra?: Readonly<Record<string, string>> },
): Promise<void> {
  openLog(input.record.log)
  // As it is now: an attempt to start it has made the daemon note things there.
  const { architecture, config } = await session.client().get<Instance>(pathOf(name))
  const body = {
    architecture,
    profiles: [],
    config: { ...config, ...buildConfig(input), ...extra },
    devices: buildDevices(input),
  }
  await session
    .client()
    .change({ method: 'PUT', path: pathOf(name), body }, { action: `configure ${input.record.name}` })
}

/** LXC would make it a file of root's, which an ordinary user could not read. */
function openLog(file: string): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o711 })
  closeSync(openSync(file, 'a', 0o600))
}

/** The record for another attempt; undefined when there is nothing to be done differently. */
function learn(error: unknown, { record, network }: BuildInput, lessons: Lessons): IncusRecord | undefined {
  const text = error instanceof Error ? error.message : ''
  if (/idmap|shiftfs|shifting/i.test(text) && record.ids === 'mapped') return { ...record, ids: 'same' }
  if (
    /already defined on another NIC|address.*already (?:in use|defined|assigned)/i.test(text) &&
    !isHolmError(error, 'HOLM_PORT_TAKEN')
  ) {
    if (network?.address) lessons.addresses.add(network.address.ip)
    return record
  }
  const chosen = record.ports.some(({ host }) => host === undefined)
  if (!isHolmError(error, 'HOLM_PORT_TAKEN') || !chosen) return undefined
  const wished = new Set(record.ports.map(({ host }) => host))
  const taken = record.bindings.map(({ host }) => host)
  if (taken.some((host) => wished.has(host) && text.includes(`:${host}`))) return undefined
  for (const host of taken) lessons.ports.add(host)
  return record
}

/** A busy daemon says only that a device did not start in time. */
async function tellTaken(error: unknown, { bindings }: IncusRecord): Promise<unknown> {
  if (!isHolmError(error, 'HOLM_ENVIRONMENT_FAILED') || !/proxy/i.test(error.message)) return error
  for (const binding of bindings) {
    if (await isFree(binding)) continue
    const where = `${binding.hostIp}:${binding.host}`
    return new HolmError('HOLM_PORT_TAKEN', `${error.message} (${where} is in use)`, {
      cause: error,
      hint: 'Choose another port, or stop what uses it.',
    })
  }
  return error
}

function explain(error: unknown, record: IncusRecord): unknown {
  if (!isHolmError(error)) return error
  const message = `cannot start environment ${record.name}: ${error.message}`
  const hint = error.hint ?? 'Run `holm doctor` to see what this machine allows.'
  if (error.code === 'HOLM_ENVIRONMENT_FAILED')
    return new HolmError(error.code, message, { cause: error, hint, details: error.details ?? {} })
  return error.code === 'HOLM_PORT_TAKEN'
    ? new HolmError(error.code, message, { cause: error, hint, details: { ports: record.ports } })
    : error
}

/** Wished ones as they are; for the others one that is free now. */
async function choosePorts(
  requests: readonly PortRequest[],
  avoid: ReadonlySet<number>,
): Promise<readonly PortBinding[]> {
  const chosen: PortBinding[] = []
  for (const { container, host, hostIp, protocol } of requests) {
    const taken = new Set([...avoid, ...chosen.map((each) => each.host)])
    chosen.push({ container, hostIp, protocol, host: host ?? (await findFreePort(hostIp, taken)) })
  }
  return chosen
}

async function findFreePort(hostIp: string, taken: ReadonlySet<number>): Promise<number> {
  for (let round = 0; round < 100; round += 1) {
    const port = await askForPort(hostIp)
    if (!taken.has(port)) return port
  }
  throw new HolmError('HOLM_PORT_TAKEN', `no port of ${hostIp} is free`, { hint: 'Stop what uses them.' })
}

function askForPort(host: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const server = createServer()
  server.once('error', (cause) =>
    reject(new HolmError('HOLM_PORT_TAKEN', `no port of ${host} can be had: ${cause.message}`, { cause })),
  )
  server.listen({ port: 0, host }, () => {
    const address = server.address()
    server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
  })
  return promise
}
