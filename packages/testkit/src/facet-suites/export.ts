import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { requireFacet, type Base, type Mount } from '@holm/core'
import { readAll } from '../collect.ts'
import { assertRejects } from '../kit/expect.ts'
import type { Kit, Suite } from '../kit/kit.ts'
import { scanTar } from '../scan-tar.ts'

/** An environment without a filesystem of its own is refused, and that is all there is to check. */
async function assertOwnFiles(kit: Kit, name: string): Promise<void> {
  if (kit.options.base.kind !== 'host') return
  await assertRejects(
    drain(kit, name),
    ['HOLM_BLUEPRINT_UNSUPPORTED'],
    'rootfs of an environment on this machine itself',
  )
  kit.skip('the base is this machine itself, and the export was refused')
}

type Entries = Awaited<ReturnType<typeof scanTar>>

/** One environment with files and mounts, read while it ran and once it was stopped: what is asserted of it costs nothing more. */
interface Exported {
  readonly running: Entries
  readonly stopped: Entries | Error
  readonly uid: number
}

/** A whole root filesystem takes an emulated machine half a minute: it is read twice for all checks of one run of the kit. */
const known = new WeakMap<Kit['options'], Promise<Exported>>()

async function exported(kit: Kit): Promise<Exported> {
  if (kit.options.base.kind === 'host') await assertOwnFiles(kit, await kit.start())
  const found = known.get(kit.options)
  if (found !== undefined) return found
  const made = makeExported(kit)
  known.set(kit.options, made)
  // The next check tries it again, and says for itself what went wrong.
  made.catch(() => known.delete(kit.options))
  return made
}

const script =
  'mkdir kept; printf inside > "kept/it\'s \\"ünï\\" name"; printf x > kept/run; chmod 4750 kept/run; ln -s run kept/link; ln kept/run kept/twin; mkdir kept/empty'

async function makeExported(kit: Kit): Promise<Exported> {
  const { mounts, folders } = await makeMounts(kit)
  const name = await kit.start({ mounts })
  await kit.output(name, ['sh', '-c', script])
  const uid = Number(await kit.output(name, ['id', '-u']))
  for (const cwd of folders)
    await kit.output(name, { argv: ['sh', '-c', 'printf secret > mounted-file'], cwd })
  const running = await scan(kit, name)
  await kit.provider.stop(name, { graceMs: 2000 }, kit.context())
  const stopped = await scan(kit, name).catch((error: Error) => error)
  assert.equal((await kit.inspect(name)).status, 'stopped')
  return { running, stopped, uid }
}

/** Where the files of the script are, as an archive names them. */
function keptIn(kit: Kit): (path: string) => string {
  return (path) => `${kit.folder.replace(/^\//, '')}/kept/${path}`
}

export const exportSuite: Suite = {
  name: 'export',
  checks: {
    'files, modes, owners, links and awkward names are in the tar': async (kit) => {
      const { running: entries, uid } = await exported(kit)
      const at = keptIn(kit)
      assert.equal(entries.get(at(`it's "ünï" name`))?.data?.toString(), 'inside')
      assert.equal(entries.get(at('run'))?.mode, 0o4750)
      assert.deepEqual([entries.get(at('link'))?.type, entries.get(at('link'))?.target], ['2', 'run'])
      assert.equal(entries.get(at('empty'))?.type, '5')
      const twins = [entries.get(at('run'))?.type, entries.get(at('twin'))?.type]
      assert.deepEqual(new Set(twins), new Set(['0', '1']), 'a hard link stays one')
      assert.equal(entries.get(at('run'))?.uid, uid, 'owner')
    },
    'it is the root filesystem, without what the kernel shows': async (kit) => {
      const paths = [...(await exported(kit)).running.keys()]
      assert.ok(paths.includes('usr'), 'it holds /usr')
      const kernel = paths.filter((path) => /^(proc|sys|dev)\/./.test(path))
      assert.deepEqual(kernel, [], 'contents of /proc, /sys and /dev')
    },
    'contents of mounts are left out': async (kit) => {
      const paths = [...(await exported(kit)).running.keys()]
      assert.deepEqual(
        paths.filter((path) => path.endsWith('mounted-file')),
        [],
      )
    },
    'running and stopped give the same files': async (kit) => {
      const { running, stopped } = await exported(kit)
      if (stopped instanceof Error) throw stopped
      const path = keptIn(kit)(`it's "ünï" name`)
      for (const entries of [running, stopped]) assert.equal(entries.get(path)?.data?.toString(), 'inside')
      // Only a moment's files may come and go with the start.
      const inUsr = (entries: Iterable<string>): string[] =>
        [...entries].filter((each) => each.startsWith('usr/')).sort()
      assert.deepEqual(inUsr(stopped.keys()), inUsr(running.keys()))
      assert.deepEqual(
        [...stopped.keys()].filter((each) => each.endsWith('mounted-file')),
        [],
      )
    },
    'an environment can be made from it': async (kit) => {
      const name = await kit.start()
      await assertOwnFiles(kit, name)
      if (!kit.provider.traits.bases.includes('rootfs')) kit.skip('traits.bases has no rootfs')
      await kit.output(name, ['sh', '-c', 'printf travelled > file; chmod 640 file'])
      const base = await saveBase(kit, name)
      await kit.provider.remove(name, { volumes: true }, kit.context())
      const made = await kit.start({ base })
      kit.onTidy(() => kit.provider.images?.remove(base, kit.context()))
      const found = await kit.output(made, ['sh', '-c', 'cat file; ls -l file | head -c 10'])
      assert.equal(found, 'travelled-rw-r-----')
    },
    'an abort ends it': async (kit) => {
      const name = await kit.start()
      await assertOwnFiles(kit, name)
      const controller = new AbortController()
      const reading = (async () => {
        for await (const _chunk of requireFacet(kit.provider, 'export').rootfs(
          name,
          kit.context(controller.signal),
        ))
          controller.abort()
      })()
      await assertRejects(reading, ['HOLM_INTERRUPTED'], 'an aborted export')
    },
    'an unknown name is refused': (kit) =>
      assertRejects(drain(kit, 't-never-made'), ['HOLM_ENVIRONMENT_NOT_FOUND'], 'rootfs'),
  },
}

function drain(kit: Kit, name: string): Promise<unknown> {
  return readAll(requireFacet(kit.provider, 'export').rootfs(name, kit.context()))
}

/** The content of what the checks made; of the rest, what there is. */
async function scan(kit: Kit, name: string): Promise<Entries> {
  const entries = await scanTar(requireFacet(kit.provider, 'export').rootfs(name, kit.context()))
  const isOurs = (path: string): boolean => path.startsWith(keptIn(kit)(''))
  return new Map(
    [...entries].map(([path, entry]) => [path, isOurs(path) ? entry : { ...entry, data: undefined }]),
  )
}

async function makeTemporary(kit: Kit): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'holm-export-')))
  kit.onTidy(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function makeMounts(kit: Kit): Promise<{ mounts: readonly Mount[]; folders: readonly string[] }> {
  const source = await makeTemporary(kit)
  await writeFile(join(source, 'another-mounted-file'), 'secret')
  const all: readonly Mount[] = [
    { type: 'bind', source, target: '/mnt/bound', readonly: false },
    { type: 'volume', source: `${kit.name()}-vol`, target: '/mnt/volume', readonly: false },
    { type: 'tmpfs', target: '/mnt/fleeting' },
  ]
  const mounts = all.filter(({ type }) => kit.provider.traits.mounts.includes(type))
  return { mounts, folders: mounts.map(({ target }) => target) }
}

async function saveBase(kit: Kit, name: string): Promise<Base> {
  const path = join(await makeTemporary(kit), 'rootfs.tar')
  await pipeline(requireFacet(kit.provider, 'export').rootfs(name, kit.context()), createWriteStream(path))
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return { kind: 'rootfs', name: 'exported', path, sha256: hash.digest('hex') }
}
