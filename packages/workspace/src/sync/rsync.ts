import { HolmError } from '@holm/core'
import type { Runner } from '@holm/core'

/** The hash that rsync itself can tell of what it transferred, in every version. */
export const hashName = 'md5'

export interface Item {
  readonly path: string
  readonly kind: 'file' | 'folder' | 'link'
  /** 'sent': its content went over; 'set': only its mode or time did; 'deleted'. */
  readonly change: 'sent' | 'set' | 'deleted'
  /** There was nothing at its place. */
  readonly isNew: boolean
  /** Of the bytes that went over. */
  readonly hash: string | undefined
}

const format = '%i|%C|%n'
const kinds: Readonly<Record<string, Item['kind']>> = { f: 'file', d: 'folder', L: 'link' }

/** What rsync says in `format`. Names that are no UTF-8 are left out, and told as rsync wrote them. */
export function parseItems(output: string): { readonly items: Item[]; readonly unreadable: string[] } {
  const items: Item[] = []
  const unreadable: string[] = []
  for (const line of output.split('\n')) {
    const [, code = '', hash = '', name = ''] = /^(.{11})\|([0-9a-f ]{32})\|(.*)$/.exec(line) ?? []
    if (code === '') continue
    const path = decodeName(name)
    if (path === undefined) unreadable.push(name)
    else items.push(itemOf(code, path, hash.trim()))
  }
  return { items, unreadable }
}

function itemOf(code: string, name: string, hash: string): Item {
  const path = name.replace(/\/$/, '')
  if (code.startsWith('*deleting')) {
    const kind = name.endsWith('/') ? 'folder' : 'file'
    return { path, kind, change: 'deleted', isNew: false, hash: undefined }
  }
  return {
    path,
    kind: kinds[code[1] ?? ''] ?? 'file',
    change: code.startsWith('.') ? 'set' : 'sent',
    isNew: code.includes('+++'),
    hash: hash === '' || /^0+$/.test(hash) ? undefined : hash,
  }
}

/** rsync writes what is not printable as `\#` and three octal digits; in the C locale that is every byte above 127. */
function decodeName(name: string): string | undefined {
  if (!name.includes('\\#')) return name
  const text = name.replaceAll(/\\#([0-7]{3})/g, (_all, octal: string) =>
    String.fromCodePoint(Number.parseInt(octal, 8)),
  )
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(text, 'latin1'))
  } catch {
    return undefined
  }
}

export interface RsyncOptions {
  readonly args: readonly string[]
  /** What is copied, and where to; a folder ends with a slash. */
  readonly from: string
  readonly to: string
  readonly cwd: string
  readonly input?: string
  readonly signal?: AbortSignal | undefined
  /** What the other side said, for the error. */
  readonly said?: () => string
}

export type Rsync = (options: RsyncOptions) => Promise<ReturnType<typeof parseItems>>

/** Files that vanished while they were copied are not there any more: that is no failure. */
const vanished = 24

/** rsync with nothing of the user's own settings of it. HOLM_TOOL_MISSING, HOLM_DISK_FULL or HOLM_COMMAND_FAILED. */
export function createRsync(runner: Runner, env: Readonly<Record<string, string | undefined>>): Rsync {
  const own = Object.fromEntries(
    Object.entries(env).flatMap(([key, value]) =>
      value === undefined || key.startsWith('RSYNC_') ? [] : [[key, value] as const],
    ),
  )
  return async ({ args, from, to, cwd, input, signal, said }) => {
    const argv = ['rsync', ...fixed, ...args, '--', from, to]
    const result = await runner
      .run(argv, {
        cwd,
        env: { ...own, LC_ALL: 'C' },
        ...(signal && { signal }),
        ...(input !== undefined && { input }),
      })
      .catch((error: unknown) => {
        throw explainMissing(error)
      })
    if (result.code === 0 || result.code === vanished) return parseItems(result.stdout)
    throw failed(result.code, [result.stderr, said?.() ?? ''].join('\n'))
  }
}

const fixed = [
  '--links',
  '--perms',
  '--times',
  '--omit-dir-times',
  '--protect-args',
  // Two versions of one second are two versions.
  '--modify-window=-1',
  `--checksum-choice=${hashName}`,
  `--out-format=${format}`,
]

function explainMissing(error: unknown): unknown {
  if ((error as { code?: string }).code !== 'HOLM_TOOL_MISSING') return error
  return new HolmError('HOLM_TOOL_MISSING', 'rsync is not installed on this machine', {
    hint: 'Install it: apt install rsync, or brew install rsync',
    cause: error,
  })
}

function failed(code: number, output: string): HolmError {
  const lines = output.split('\n').filter((line) => line.trim() !== '')
  const said = lines.slice(-6).join('\n')
  if (/No space left on device|Disk quota exceeded/.test(output)) {
    return new HolmError('HOLM_DISK_FULL', `the files do not fit: ${said}`, {
      hint: 'Make room and synchronise again; what was there before is still there.',
    })
  }
  return new HolmError('HOLM_COMMAND_FAILED', `rsync ended with ${code}: ${said}`, {
    hint: 'Leave out what cannot be read: holm config set plugin.workspace.sync.exclude …; then synchronise again.',
    details: { code },
  })
}
