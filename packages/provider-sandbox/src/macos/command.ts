import { realpathSync, statSync } from 'node:fs'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { ExecRequest } from '@holm/core'
import { assertWords, entryEnvironment, entryScript, entryVariables, resolveUser } from '../exec.ts'
import type { SandboxRecord } from '../record.ts'
import { resolvePlace, type Place } from './places.ts'
import { noteScript } from './process-list.ts'
import { seatbeltProfile } from './seatbelt-profile.ts'

const searchPath = '/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin'

export interface CommandInput {
  readonly request: ExecRequest
  readonly places: readonly Place[]
  readonly folder: string
  readonly sandboxExec: string
}

/** Command line and environment that run a program confined. Its variables travel under neutral names, as on Linux. */
export function seatbeltCommand(
  record: SandboxRecord,
  { request, places, folder, sandboxExec }: CommandInput,
): { argv: string[]; env: Record<string, string> } {
  assertWords(request)
  const real = places.map((place) => ({ ...place, path: realOf(place.path) }))
  const account = {
    ...resolveUser(record, ['/'], request.user),
    home: resolvePlace(real, record.caller.home),
  }
  const cwd = request.cwd === undefined ? account.home : resolvePlace(real, request.cwd)
  assertFolder(record.name, cwd)
  const own = { LANG: 'en_US.UTF-8', PATH: searchPath, TMPDIR: resolvePlace(real, '/tmp') }
  const complete = { ...record, env: { ...own, ...record.env } }
  const entry = { request: { ...request, cwd }, account }
  const profile = seatbeltProfile({ places: real, network: record.network !== 'none' })
  const count = Object.keys(entryVariables(complete, entry)).length
  const inside = ['/bin/sh', '-c', entryScript(count, entry.request), 'holm-exec', cwd, ...request.argv]
  const notes = path.join(folder, 'processes')
  return {
    argv: ['/bin/sh', '-c', noteScript, 'holm-note', notes, sandboxExec, '-p', profile, ...inside],
    env: entryEnvironment(complete, entry, searchPath),
  }
}

/** Rules are asked for the real path. */
function realOf(place: string): string {
  try {
    return realpathSync(place)
  } catch {
    return place
  }
}

function assertFolder(name: string, folder: string): void {
  const found = statSync(folder, { throwIfNoEntry: false })
  if (found?.isDirectory()) return
  throw new HolmError(
    'HOLM_USAGE',
    `folder ${folder} ${found ? 'is no folder' : 'does not exist'} in environment ${name}`,
    { hint: 'Name a folder that exists inside.', details: { cwd: folder } },
  )
}
