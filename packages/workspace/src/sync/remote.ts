import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { HolmError } from '@holm/core'
import type { Item, Rsync, RsyncOptions } from './rsync.ts'
import { workFolder } from './rules.ts'
import { filters } from './scan.ts'

/** The folder on the other side, as far as synchronising goes. */
export interface Remote {
  /** Makes the mirror equal to what is there. */
  pull(mirror: string, rules: readonly string[]): Promise<void>
  /** Sends these paths of a folder; what is overwritten is put aside there. */
  push(folder: string, paths: readonly string[]): Promise<readonly Item[]>
  /** Sends all of a folder that the rules let through. */
  send(folder: string, options: SendOptions): Promise<readonly Item[]>
  /** Puts these paths aside there; a folder goes when it is empty. In this order. */
  remove(paths: readonly string[]): Promise<void>
  /** Brings what was put aside there into a folder of this machine, and forgets it there; false when there is nothing. */
  collect(folder: string): Promise<boolean>
}

export interface SendOptions {
  readonly rules: readonly string[]
  readonly remove: boolean
  readonly dryRun: boolean
  readonly checksum: boolean
}

export interface RemoteOptions {
  readonly rsync: Rsync
  /** Runs a shell script in the folder on the other side; resolves with what it prints. */
  readonly sh: (script: string, input?: string) => Promise<string>
  /** The folder, as rsync names it, without a slash at the end. */
  readonly address: string
  /** Of every call of rsync that reaches the other side. */
  readonly args: readonly string[]
  readonly cwd: string
  readonly signal?: AbortSignal | undefined
  readonly said?: () => string
}

/**
 * What comes from there was written by whoever is inside. Neither its links nor its names lead anywhere: links are made
 * unusable, lists are complete before anything is written (CVE-2024-12087), no devices, no set-user-id, no owners.
 */
const guarded = [
  '--munge-links',
  '--no-inc-recursive',
  '--whole-file',
  '--no-devices',
  '--no-specials',
  '--chmod=Du+rwx,Fu+r,ug-s',
]

const aside = `${workFolder}/old`

export function createRemote(options: RemoteOptions): Remote {
  const { rsync, sh, address, args, cwd, signal, said } = options
  const call = (request: Pick<RsyncOptions, 'args' | 'from' | 'to' | 'input'>) =>
    rsync({ ...request, args: [...args, ...request.args], cwd, signal, ...(said && { said }) })
  const pullInto = async (folder: string, from: string, rules: readonly string[]): Promise<void> => {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    await call({ args: ['--recursive', '--delete', ...guarded, ...filters(rules)], from, to: `${folder}/` })
  }
  const keepOld = ['--backup', `--backup-dir=${aside}`]
  return {
    pull: (mirror, rules) => pullInto(mirror, `${address}/`, rules),
    async push(folder, paths) {
      if (paths.length === 0) return []
      const list = paths.map((path) => `${path}\0`).join('')
      const more = ['--files-from=-', '--from0', '--dirs', '--ignore-times', ...keepOld]
      return (await call({ args: more, from: `${folder}/`, to: `${address}/`, input: list })).items
    },
    async send(folder, { rules, remove, dryRun, checksum }) {
      const more = [
        '--recursive',
        '--safe-links',
        ...keepOld,
        ...(remove ? ['--delete'] : []),
        ...(dryRun ? ['--dry-run'] : []),
        ...(checksum ? ['--checksum'] : []),
        ...filters(rules),
      ]
      return (await call({ args: more, from: `${folder}/`, to: `${address}/` })).items.filter(
        ({ path }) => path !== '.',
      )
    },
    async remove(paths) {
      if (paths.length > 0) await sh(removeScript, paths.map((path) => `${path}\0`).join(''))
    },
    async collect(folder) {
      // Where there is nothing, that is the end of it.
      const found = await sh(
        `{ [ -d ${aside} ] && find ${aside} ! -type d | grep -q . && echo found; } || rm -rf ${workFolder}`,
      )
      if (found === '') return false
      await pullInto(folder, `${address}/${aside}/`, [])
      if (!existsSync(folder)) throw new HolmError('HOLM_BUG', `${folder} was not made`)
      await sh(`rm -rf ${workFolder}`)
      return true
    },
  }
}

const removeScript = `
xargs -0 sh -c '
for path; do
  if [ -d "./$path" ] && [ ! -L "./$path" ]; then rmdir "./$path" 2>/dev/null || true
  elif [ -e "./$path" ] || [ -L "./$path" ]; then
    mkdir -p "${aside}/$(dirname "./$path")" && mv -f "./$path" "${aside}/$path" || exit 1
  fi
done' sh
`

/** Removes a folder of this machine that was only on its way. */
export function discard(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
}
