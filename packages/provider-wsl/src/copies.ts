import { randomBytes } from 'node:crypto'
import { createWriteStream, existsSync } from 'node:fs'
import { constants, copyFile, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { HolmError, assertNotAborted, isHolmError } from '@holm/core'
import type { CloneFacet, EnvironmentState, ProviderContext, SnapshotInfo, SnapshotsFacet } from '@holm/core'
import { exportArgv, importDiskArgv } from './argv.ts'
import { streamInside } from './files.ts'
import { applyConf, createWith, draftRecord, importTar, unregister } from './lifecycle.ts'
import { identify } from './identity.ts'
import { diskFolder, isMissing, saveRecord, type WslRecord } from './record.ts'
import { stopEnvironment } from './running.ts'
import { assertSupported } from './requirements.ts'
import { assertReady, type Session } from './session.ts'
import { callWsl } from './wsl.ts'

const copyMs = 60 * 60_000

/** WSL's name of a disk. */
const diskName = 'ext4.vhdx'
const tarName = 'rootfs.tar'

/** Whether this WSL can register a copied disk. */
export type InPlace = (ctx: ProviderContext) => Promise<boolean>

/** All files as one tar: numeric owners, nothing of what is mounted. A file that changes meanwhile is no failure. */
const tarScript = `cd / || exit 1
if tar --version 2>/dev/null | grep -q GNU
then tar -c -f - --numeric-owner --one-file-system --exclude=./proc/* --exclude=./sys/* --exclude=./dev/* .
else
  set --
  while read -r _ _ _ _ point _; do [ "$point" = / ] || set -- "$@" --exclude ".$point/*"; done </proc/self/mountinfo
  tar -c -f - "$@" .
fi
[ $? -le 1 ]`

/** The files of an environment as a tar stream, running or stopped. */
export function streamRootfs(
  session: Session,
  name: string,
  ctx: ProviderContext,
): AsyncIterable<Uint8Array> {
  return streamInside(
    session,
    { name, script: tarScript, words: [], doing: `export environment ${name}` },
    ctx,
  )
}

export function createClone(session: Session, inPlace: InPlace): CloneFacet {
  return {
    clone: async (name, spec, ctx) => {
      assertNotAborted(ctx.signal)
      const origin = await session.require(name, ctx)
      assertSupported(session.machine, {
        ...spec,
        base: { kind: 'rootfs', name: 'clone', path: '', sha256: '' },
      })
      assertReady(origin, await session.state(origin, ctx))
      const record = draftRecord(session, spec)
      const asDisk = await canCopyDisk(session, origin, { inPlace, ctx })
      ctx.progress({ message: `copying ${name}` })
      return createWith(session, record, {
        ctx,
        fill: () =>
          asDisk ? cloneDisk(session, { origin, record }, ctx) : cloneFiles(session, { origin, record }, ctx),
      })
    },
  }
}

/** The disk of a stopped environment is a file that nobody writes; that of a running one is WSL's alone. */
async function canCopyDisk(
  session: Session,
  record: WslRecord,
  { inPlace, ctx }: { readonly inPlace: InPlace; readonly ctx: ProviderContext },
): Promise<boolean> {
  const { running } = (await session.look(ctx)).distributions
  return (
    !running.has(session.distribution(record.name)) &&
    (await inPlace(ctx)) &&
    existsSync(await diskOf(session, record, ctx))
  )
}

async function diskOf(session: Session, record: WslRecord, ctx: ProviderContext): Promise<string> {
  return path.join(diskFolder(await session.folder(record.name, ctx)), diskName)
}

interface Pair {
  readonly origin: WslRecord
  readonly record: WslRecord
}

async function cloneDisk(session: Session, { origin, record }: Pair, ctx: ProviderContext): Promise<void> {
  const to = await diskOf(session, record, ctx)
  await mkdir(path.dirname(to), { recursive: true })
  await copyDisk(await diskOf(session, origin, ctx), to, ctx)
  const argv = importDiskArgv(session.distribution(record.name), session.machine.toWindows(to))
  await callWsl(session.machine, { argv, doing: `register the disk of ${record.name}` }, ctx)
}

/** A block clone where the drive has them (ReFS, Dev Drive). WSL may hold the disk for a moment after the end. */
async function copyDisk(from: string, to: string, ctx: ProviderContext): Promise<void> {
  for (let left = 100; ; left -= 1) {
    assertNotAborted(ctx.signal)
    try {
      return await copyFile(from, to, constants.COPYFILE_FICLONE)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? ''
      if (code === 'ENOSPC')
        throw new HolmError('HOLM_DISK_FULL', `no space for a copy of ${from}`, {
          hint: 'Free space on the drive.',
          cause: error,
        })
      if (left === 0 || !['EBUSY', 'EPERM', 'EACCES'].includes(code)) throw error
      await sleep(100)
    }
  }
}

async function cloneFiles(session: Session, { origin, record }: Pair, ctx: ProviderContext): Promise<void> {
  const until = performance.now() + copyMs
  for (;;) {
    try {
      return await importTar(session, { record, tar: streamRootfs(session, origin.name, ctx) }, ctx)
    } catch (error) {
      // Several clones of one stopped environment: each has it for itself while it is read.
      if (!isHolmError(error, 'HOLM_ENVIRONMENT_BUSY') || performance.now() > until) throw error
      await unregister(session, record.name, ctx)
      await sleep(200, undefined, { signal: ctx.signal }).catch(() => undefined)
      assertNotAborted(ctx.signal)
    }
  }
}

export function createSnapshots(session: Session, inPlace: InPlace): SnapshotsFacet {
  const placeOf = async (name: string, snapshot: string, ctx: ProviderContext): Promise<string> => {
    if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(snapshot))
      throw new HolmError('HOLM_NAME_INVALID', `"${snapshot}" is no name of a snapshot`, {
        hint: 'Use letters, digits, dots, underscores and hyphens.',
      })
    return path.join(await session.folder(name, ctx), 'snapshots', snapshot)
  }
  return {
    create: async (name, snapshot, ctx) => {
      const record = await session.require(name, ctx)
      assertReady(record, await session.state(record, ctx))
      const place = await placeOf(name, snapshot, ctx)
      return createSnapshot(session, { record, place, inPlace }, ctx)
    },
    list: async (name, ctx) => {
      await session.require(name, ctx)
      return listSnapshots(path.join(await session.folder(name, ctx), 'snapshots'))
    },
    restore: async (name, snapshot, ctx) => {
      await session.require(name, ctx)
      const place = await placeOf(name, snapshot, ctx)
      if (!existsSync(place)) throw missing(name, snapshot)
      await stopEnvironment(session, { name, graceMs: 0 }, ctx)
      return session.lock(name, ctx, () => restoreSnapshot(session, { name, place }, ctx))
    },
    remove: async (name, snapshot, ctx) => {
      await session.require(name, ctx)
      const place = await placeOf(name, snapshot, ctx)
      const away = path.join(path.dirname(place), `.gone-${randomBytes(4).toString('hex')}`)
      await rename(place, away).catch((error: unknown) => {
        if (!isMissing(error)) throw error
      })
      await rm(away, { recursive: true, force: true })
    },
  }
}

function missing(name: string, snapshot: string): HolmError {
  return new HolmError('HOLM_USAGE', `environment ${name} has no snapshot "${snapshot}"`, {
    hint: `Run \`holm snapshot list ${name}\`.`,
  })
}

interface SnapshotRequest {
  readonly record: WslRecord
  readonly place: string
  readonly inPlace: InPlace
}

async function createSnapshot(
  session: Session,
  { record, place, inPlace }: SnapshotRequest,
  ctx: ProviderContext,
): Promise<SnapshotInfo> {
  const snapshot = path.basename(place)
  const conflict = (): HolmError =>
    new HolmError(
      'HOLM_ENVIRONMENT_CONFLICT',
      `environment ${record.name} has a snapshot "${snapshot}" already`,
      {
        hint: 'Choose another name, or remove that snapshot first.',
      },
    )
  if (existsSync(place)) throw conflict()
  const draft = path.join(path.dirname(place), `.draft-${randomBytes(4).toString('hex')}`)
  await mkdir(draft, { recursive: true })
  try {
    await saveFiles(session, { record, draft, inPlace }, ctx)
    const createdAt = new Date().toISOString()
    const info: SnapshotInfo = { name: snapshot, environment: record.name, createdAt, includesMemory: false }
    await writeFile(path.join(draft, 'snapshot.json'), JSON.stringify(info))
    if (existsSync(place)) throw conflict()
    await rename(draft, place)
    return info
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    throw error
  }
}

/** `--export` would end a running distribution: its own tar reads it instead. */
async function saveFiles(
  session: Session,
  { record, draft, inPlace }: Omit<SnapshotRequest, 'place'> & { readonly draft: string },
  ctx: ProviderContext,
): Promise<void> {
  const distribution = session.distribution(record.name)
  if ((await session.look(ctx)).distributions.running.has(distribution))
    return pipeline(streamRootfs(session, record.name, ctx), createWriteStream(path.join(draft, tarName)), {
      signal: ctx.signal,
    })
  return session.lock(record.name, ctx, async () => {
    if (await canCopyDisk(session, record, { inPlace, ctx }))
      return copyDisk(await diskOf(session, record, ctx), path.join(draft, diskName), ctx)
    const argv = exportArgv(distribution, session.machine.toWindows(path.join(draft, tarName)))
    await callWsl(
      session.machine,
      { argv, doing: `export environment ${record.name}`, timeoutMs: copyMs },
      ctx,
    )
  })
}

async function listSnapshots(folder: string): Promise<SnapshotInfo[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (isMissing(error)) return []
    throw error
  })
  const infos = await Promise.all(
    names
      .filter((name) => !name.startsWith('.'))
      .map(
        async (name) =>
          JSON.parse(await readFile(path.join(folder, name, 'snapshot.json'), 'utf8')) as SnapshotInfo,
      ),
  )
  return infos.toSorted((one, other) => one.createdAt.localeCompare(other.createdAt))
}

/**
 * A saved disk takes the place of the other in one step. A tar is imported anew: until that is done the record says so,
 * and a holm that is killed in between leaves an environment that is told as failed and can be restored again.
 */
async function restoreSnapshot(
  session: Session,
  { name, place }: { readonly name: string; readonly place: string },
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  const record = await session.require(name, ctx)
  const folder = await session.folder(name, ctx)
  const disk = await diskOf(session, record, ctx)
  if (existsSync(path.join(place, diskName)) && record.status === 'ready') {
    const draft = `${disk}.restore`
    await copyDisk(path.join(place, diskName), draft, ctx)
    await rename(draft, disk)
    return session.stateWhen(record, 'stopped')
  }
  await saveRecord(folder, {
    ...record,
    status: 'restoring',
    worker: identify(session.machine.side, process.pid),
  })
  await unregister(session, name, ctx)
  if (existsSync(path.join(place, diskName))) {
    await mkdir(path.dirname(disk), { recursive: true })
    await copyDisk(path.join(place, diskName), disk, ctx)
    const argv = importDiskArgv(session.distribution(name), session.machine.toWindows(disk))
    await callWsl(session.machine, { argv, doing: `register the disk of ${name}` }, ctx)
  } else {
    await importTar(session, { record, file: session.machine.toWindows(path.join(place, tarName)) }, ctx)
  }
  await applyConf(session, record, ctx)
  const ready: WslRecord = { ...record, status: 'ready' }
  await saveRecord(folder, ready)
  return session.stateWhen(ready, 'stopped')
}
