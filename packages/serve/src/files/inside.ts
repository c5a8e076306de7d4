import { HolmError } from '@holm/core'
import type { Call } from '../session.ts'
import { askInside, type InsideAnswer } from './ask-inside.ts'
import { explain, failed, missing, outside } from './errors.ts'
import type { Entry, Files, FileStat } from './files.ts'
import { codes, scripts } from './scripts.ts'

const timeoutMs = 60_000

/**
 * Files of an environment that shares none with this machine, through programs inside. What paths may reach there is the
 * environment's own matter; they still stay in its folder, as they do elsewhere.
 */
export function filesInside(call: Call, environment: string): Files {
  const ask = async (
    body: keyof typeof scripts,
    path: string,
    { more = [], input }: { readonly more?: readonly string[]; readonly input?: Buffer } = {},
  ): Promise<InsideAnswer> => {
    if (path.startsWith('/')) throw outside(path, 'is absolute')
    // A name like `-n` must not be taken for an option.
    const argv = ['sh', '-c', `${scripts.begin}${scripts[body]}`, 'holm-files', `./${path}`, ...more]
    const answer = await askInside(call, { environment, argv, timeoutMs, ...(input && { input }) })
    if (answer.code !== 0) throw refused(path, answer)
    return answer
  }
  return {
    async stat(path) {
      const { stdout } = await ask('stat', path)
      return parseStat(stdout.toString())
    },
    async read(path, { offset, length }) {
      const { stdout } = await ask('read', path, { more: [String(offset + 1), String(length)] })
      const line = stdout.indexOf(10)
      return { size: Number(stdout.subarray(0, line).toString().trim()), bytes: stdout.subarray(line + 1) }
    },
    async write(path, { bytes, mode }) {
      const { stdout } = await ask('write', path, { more: [mode], input: bytes })
      return { size: Number(stdout.toString().trim()) }
    },
    async list(path) {
      const { stdout } = await ask('list', path)
      return parseList(stdout.toString())
    },
    async makeFolder(path, { recursive }) {
      const { stdout } = await ask('makeFolder', path, { more: [recursive ? 'yes' : 'no'] })
      return stdout.toString().trim() === 'made'
    },
    async remove(path, { recursive }) {
      const { stdout } = await ask('remove', path, { more: [recursive ? 'yes' : 'no'] })
      return stdout.toString().trim() === 'removed'
    },
  }
}

const errnoOf: Readonly<Record<number, string>> = {
  [codes.denied]: 'EACCES',
  [codes.folder]: 'EISDIR',
  [codes.notFolder]: 'ENOTDIR',
  [codes.exists]: 'EEXIST',
  [codes.notEmpty]: 'ENOTEMPTY',
}

function refused(path: string, { code, stderr }: InsideAnswer): unknown {
  if (code === codes.outside) return outside(path, 'leads out of the folder')
  if (code === codes.missing) return missing(path)
  if (code === codes.itself) return failed(path, 'is the folder of the environment itself')
  if (code === codes.special) return failed(path, 'is neither a file nor a folder')
  const errno = errnoOf[code]
  if (errno !== undefined) return explain(path, { code: errno })
  const said = stderr.toString().trim().split('\n').at(-1) ?? ''
  return new HolmError(
    'HOLM_FILE_FAILED',
    `${JSON.stringify(path)} cannot be used inside: ${said || `code ${code}`}`,
    {
      details: { path },
    },
  )
}

const types: Readonly<Record<string, Entry['type']>> = { f: 'file', d: 'directory', l: 'symlink', o: 'other' }

/** Type, size, mode in octal and seconds, or nothing. */
function parseStat(text: string): FileStat | undefined {
  const [type = '', size, mode, seconds] = text.trim().split(' ')
  if (type === '') return undefined
  return {
    type: types[type] ?? 'other',
    size: Number(size),
    mode: Number.parseInt(mode ?? '', 8),
    modifiedAt: new Date(Number(seconds) * 1000).toISOString(),
  }
}

/** A letter and a name, each ended by a NUL. */
function parseList(text: string): Entry[] {
  return text
    .split('\0')
    .filter((item) => item !== '')
    .map((item) => ({ type: types[item[0] ?? ''] ?? 'other', name: item.slice(1) }))
}
