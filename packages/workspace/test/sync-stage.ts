import { execFileSync, spawnSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRunner } from '@holm/core/host'
import { listFiles } from '../src/sync/apply.ts'
import type { SyncInput } from '../src/sync/engine.ts'
import { createRemote, type Remote } from '../src/sync/remote.ts'
import { createRsync } from '../src/sync/rsync.ts'
import { filterRules } from '../src/sync/rules.ts'
import { placesIn } from '../src/sync/state.ts'
import { createStandIn, listingRsync } from './sync-stand-in.ts'

/** Two folders of this machine, one of which stands for the environment's: rsync copies between them without a shell. */
export interface SyncStage {
  readonly here: string
  readonly there: string
  readonly folder: string
  readonly kept: string
  input(options?: Partial<SyncInput>): SyncInput
  readonly remote: Remote
  /** Contents by path of one of the folders. */
  read(folder: string): Record<string, string>
  dispose(): void
}

/** A file's content, or where a link leads. */
function describe(full: string): string {
  return lstatSync(full).isSymbolicLink() ? `-> ${readlinkSync(full)}` : readFileSync(full, 'utf8')
}

export function missingRsync(): string | undefined {
  return spawnSync('rsync', ['--version']).status === 0 ? undefined : 'rsync is not installed'
}

export function createSyncStage({ standIn = false } = {}): SyncStage {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'holm sync o’r ')))
  const [here, there] = [join(folder, "he're"), join(folder, 'the re')]
  for (const each of [here, there]) mkdirSync(each)
  const places = placesIn(join(folder, 'data'))
  const rsync = standIn ? listingRsync : createRsync(createRunner({ env: process.env }), process.env)
  const sh = async (script: string, input = ''): Promise<string> =>
    execFileSync('/bin/sh', ['-c', script], { cwd: there, input, encoding: 'utf8' })
  const remote = standIn
    ? createStandIn(there)
    : createRemote({ rsync, sh, address: there, args: [], cwd: folder })
  const input = (options: Partial<SyncInput> = {}): SyncInput => ({
    rsync,
    remote,
    local: here,
    places,
    environment: 'one',
    rules: filterRules({}, options.paths),
    paths: [],
    dryRun: false,
    remove: false,
    checksum: false,
    ...options,
  })
  return {
    here,
    there,
    folder,
    kept: places.kept,
    input,
    remote,
    read: (from) =>
      Object.fromEntries(
        (existsSync(from) ? listFiles(from) : [])
          .toSorted()
          .map((path) => [path, describe(join(from, path))]),
      ),
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  }
}
