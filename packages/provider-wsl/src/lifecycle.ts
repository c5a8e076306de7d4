import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { access, mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { createZstdDecompress } from 'node:zlib'
import { HolmError, assertNotAborted, isHolmError } from '@holm/core'
import type { Base, EnvironmentSpec, EnvironmentState, ProviderContext } from '@holm/core'
import { environmentName, importArgv } from './argv.ts'
import { identify } from './identity.ts'
import { releaseMounts, volumeFolder } from './mounts.ts'
import { removeProxies } from './ports.ts'
import { confOf } from './requirements.ts'
import {
  claimFolder,
  diskFolder,
  discardFolder,
  folderOf,
  listFolders,
  loadRecord,
  saveRecord,
  type WslRecord,
} from './record.ts'
import { confScript } from './scripts.ts'
import type { Session } from './session.ts'
import { absentState, stateOf, strayState } from './state.ts'
import { tidyContext, waitUntil } from './wait.ts'
import { callWsl, runShell, runWsl } from './wsl.ts'
import { renderConf } from './wsl-conf.ts'
import { wslError } from './wsl-errors.ts'

const importMs = 20 * 60_000

export function draftRecord(session: Session, spec: EnvironmentSpec): WslRecord {
  const { name, hostname, user, env, mounts, ports, resources, labels } = spec
  return {
    version: 1,
    name,
    id: randomUUID(),
    status: 'creating',
    worker: identify(session.machine.side, process.pid),
    createdAt: new Date().toISOString(),
    labels,
    conf: confOf(spec),
    hostname,
    env,
    mounts,
    ports,
    resources,
    ...(user === undefined ? {} : { user }),
  }
}

/**
 * Makes the environment of a record; `fill` registers the distribution. What is there with the same labels is returned;
 * what was interrupted is removed first; what fails, or is aborted, leaves nothing.
 */
export async function createWith(
  session: Session,
  draft: WslRecord,
  { fill, ctx }: { readonly fill: () => Promise<void>; readonly ctx: ProviderContext },
): Promise<EnvironmentState> {
  const layout = await session.layout(ctx)
  const folder = folderOf(layout, draft.name)
  const existing = await returnExisting(session, draft, ctx)
  if (existing !== undefined) return existing
  if (!(await claimFolder(layout, draft))) {
    const other = await returnExisting(session, draft, ctx)
    if (other !== undefined) return other
    throw taken(draft.name, 'HOLM_ENVIRONMENT_BUSY')
  }
  try {
    await fill()
    await applyConf(session, draft, ctx)
    assertNotAborted(ctx.signal)
    const record: WslRecord = { ...draft, status: 'ready' }
    await saveRecord(folder, record)
    await rm(path.join(folder, 'lock'), { force: true })
    return session.stateWhen(record, 'stopped')
  } catch (error) {
    const tidy = tidyContext(ctx)
    await unregister(session, draft.name, tidy)
    await discardFolder(layout, folder)
    throw error
  }
}

/** Undefined when the name is free. */
async function returnExisting(
  session: Session,
  draft: WslRecord,
  ctx: ProviderContext,
): Promise<EnvironmentState | undefined> {
  const found = await session.find(draft.name, ctx)
  if (found === undefined) {
    const { all } = (await session.look(ctx)).distributions
    if (!all.has(session.distribution(draft.name))) return undefined
    throw taken(draft.name, 'HOLM_ENVIRONMENT_CONFLICT')
  }
  const state = await session.state(found, ctx)
  const same = JSON.stringify(sorted(found.labels)) === JSON.stringify(sorted(draft.labels))
  if (found.status === 'creating' && state.status === 'failed') {
    await removeEnvironment(session, { name: draft.name, volumes: false }, ctx)
    return undefined
  }
  if (!same) throw taken(draft.name, 'HOLM_ENVIRONMENT_CONFLICT')
  if (state.status === 'creating') throw taken(draft.name, 'HOLM_ENVIRONMENT_BUSY')
  return state
}

function sorted(labels: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(labels).toSorted(([one], [other]) => (one < other ? -1 : 1))
}

function taken(name: string, code: 'HOLM_ENVIRONMENT_CONFLICT' | 'HOLM_ENVIRONMENT_BUSY'): HolmError {
  return code === 'HOLM_ENVIRONMENT_BUSY'
    ? new HolmError(code, `another holm process is making environment ${name}`, {
        hint: 'Wait until it has finished.',
      })
    : new HolmError(code, `environment ${name} exists already, with other labels`, {
        hint: `Choose another name, or remove it with \`holm destroy ${name}\`.`,
      })
}

/** Registers the distribution from a tarball: by its name for Windows where it has one, otherwise through a pipe. */
export async function importRootfs(
  session: Session,
  { record, base }: { readonly record: WslRecord; readonly base: Extract<Base, { kind: 'rootfs' }> },
  ctx: ProviderContext,
): Promise<void> {
  await access(base.path).catch((error: unknown) => {
    throw new HolmError('HOLM_BASE_NOT_FOUND', `the base ${base.name} is not at ${base.path}`, {
      hint: 'Name a tarball that exists.',
      cause: error,
    })
  })
  ctx.progress({ message: `importing ${base.name}` })
  const place = session.machine.parsePath(base.path)
  // WSL unpacks through bsdtar without zstd.
  const packed = base.path.endsWith('.zst')
  if (place?.kind === 'drive' && !packed) return importTar(session, { record, file: place.windows }, ctx)
  const file = createReadStream(base.path)
  return importTar(session, { record, tar: packed ? file.pipe(createZstdDecompress()) : file }, ctx)
}

type TarSource =
  | { readonly file: string; readonly tar?: undefined }
  | { readonly file?: undefined; readonly tar: AsyncIterable<Uint8Array> }

export async function importTar(
  session: Session,
  { record, ...source }: { readonly record: WslRecord } & TarSource,
  ctx: ProviderContext,
): Promise<void> {
  const disk = diskFolder(await session.folder(record.name, ctx))
  await mkdir(disk, { recursive: true })
  const argv = importArgv(
    session.distribution(record.name),
    session.machine.toWindows(disk),
    source.file ?? '-',
  )
  const call = { argv, doing: `import environment ${record.name}`, timeoutMs: importMs }
  await callWsl(session.machine, source.tar === undefined ? call : { ...call, input: source.tar }, ctx)
}

/** Writes /etc/wsl.conf and leaves the distribution stopped: WSL reads the file when it starts one. */
export async function applyConf(session: Session, record: WslRecord, ctx: ProviderContext): Promise<void> {
  const distribution = session.distribution(record.name)
  const doing = `write /etc/wsl.conf of environment ${record.name}`
  const input = Buffer.from(renderConf(record.conf))
  const { code, text, errorText } = await runShell(
    session.machine,
    { distribution, script: confScript, input, doing },
    ctx,
  )
  if (code !== 0 && code !== 10) throw wslError(`${text}\n${errorText}`, doing, 'HOLM_BASE_INVALID')
  await terminate(session, record.name, ctx)
}

/** Ends the distribution: wsl.exe comes back when it has ended. One that is not there has. */
export async function terminate(session: Session, name: string, ctx: ProviderContext): Promise<void> {
  const doing = `stop environment ${name}`
  const argv = ['--terminate', session.distribution(name)]
  const { code, text, errorText } = await runWsl(session.machine, { argv, doing }, ctx)
  if (code === 0) return
  const error = wslError(`${text}\n${errorText}`, doing)
  if (!isHolmError(error, 'HOLM_ENVIRONMENT_NOT_FOUND')) throw error
}

/** Unregisters the distribution, if it is there. One whose import was just killed is locked for a moment. */
export async function unregister(session: Session, name: string, ctx: ProviderContext): Promise<void> {
  const doing = `remove environment ${name}`
  const argv = ['--unregister', session.distribution(name)]
  const attempt = async (): Promise<boolean> => {
    const { code, text, errorText } = await runWsl(session.machine, { argv, doing, timeoutMs: 120_000 }, ctx)
    if (code === 0) return true
    const error = wslError(`${text}\n${errorText}`, doing)
    if (isHolmError(error, 'HOLM_ENVIRONMENT_BUSY')) return false
    if (isHolmError(error, 'HOLM_ENVIRONMENT_NOT_FOUND')) return true
    // Versions without codes do not say which failure it is.
    if ((await session.look(ctx)).distributions.all.has(session.distribution(name))) throw error
    return true
  }
  await waitUntil(attempt, { what: `${argv[1] ?? ''} to be unregistered`, deadlineMs: 60_000 }, ctx)
}

export interface Removal {
  readonly name: string
  readonly volumes: boolean
}

export async function removeEnvironment(
  session: Session,
  { name, volumes }: Removal,
  ctx: ProviderContext,
): Promise<void> {
  const layout = await session.layout(ctx)
  const folder = folderOf(layout, name)
  const record = await loadRecord(folder).catch(() => undefined)
  const remove = async (): Promise<void> => {
    await unregister(session, name, ctx)
    if (record !== undefined) {
      await removeProxies(session, record, ctx)
      await releaseMounts(session, record, ctx)
    }
    await discardFolder(layout, folder)
  }
  const known = (await listFolders(layout)).includes(name)
  await (known ? session.lock(name, ctx, remove) : remove())
  if (volumes && record !== undefined) await removeVolumes(session, record, ctx)
}

/** Named volumes that no other environment has. */
async function removeVolumes(session: Session, record: WslRecord, ctx: ProviderContext): Promise<void> {
  const layout = await session.layout(ctx)
  const others = await Promise.all(
    (await listFolders(layout)).map((name) => loadRecord(folderOf(layout, name)).catch(() => undefined)),
  )
  const named = (each: WslRecord | undefined): string[] =>
    (each?.mounts ?? []).flatMap((mount) =>
      mount.type === 'volume' && mount.source !== undefined ? [mount.source] : [],
    )
  const used = new Set(others.flatMap(named))
  for (const source of named(record).filter((each) => !used.has(each)))
    await rm(volumeFolder(source, 0, { layout, record }), { recursive: true, force: true, maxRetries: 5 })
}

export async function inspectEnvironment(
  session: Session,
  name: string,
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  const record = await session.find(name, ctx)
  const seen = await session.look(ctx)
  if (record !== undefined) return stateOf(record, seen)
  return seen.distributions.all.has(session.distribution(name)) ? strayState(name) : absentState(name)
}

/** Records, and distributions with our prefix that have none. */
export async function listEnvironments(session: Session, ctx: ProviderContext): Promise<EnvironmentState[]> {
  const layout = await session.layout(ctx)
  const [folders, seen] = await Promise.all([listFolders(layout), session.look(ctx)])
  const states = await Promise.all(
    folders.map(async (name) => {
      const record = await loadRecord(folderOf(layout, name)).catch((error: unknown) => {
        if (isHolmError(error, 'HOLM_ENVIRONMENT_FAILED')) return null
        throw error
      })
      if (record === null)
        return [{ ...absentState(name), status: 'failed' as const, reason: 'its record is damaged' }]
      return record === undefined ? [] : [stateOf(record, seen)]
    }),
  )
  const known = new Set(states.flat().map(({ name }) => name))
  const stray = [...seen.distributions.all].flatMap((distribution) => {
    const name = environmentName(session.options.namespace, distribution)
    return name === undefined || known.has(name) ? [] : [strayState(name)]
  })
  return [...states.flat(), ...stray]
}
