/** Where the stand-in keeps what the service of WSL keeps: one folder, named by HOLM_STANDIN. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { createHash } from 'node:crypto'
import {
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { isatty } from 'node:tty'
import { message, type Language, type MessageName } from './messages.ts'

export const root = process.env['HOLM_STANDIN'] ?? ''
if (root === '') throw new Error('HOLM_STANDIN names no folder')

/** Unpacked tarballs; several worlds may share them. */
export const layers = process.env['HOLM_STANDIN_LAYERS'] ?? path.join(root, 'layers')

/** "inbox" is the wsl.exe of Windows 10 itself: no --version, no --cd, no --import-in-place, no UTF-8, no codes. */
export const version = process.env['HOLM_STANDIN_VERSION'] ?? '2.6.3.0'
export const inbox = version === 'inbox'
export const language: Language = process.env['HOLM_STANDIN_LANGUAGE'] === 'de' ? 'de' : 'en'

/** The process that is wsl.exe: this one, or one whose call the server answers. */
export interface Caller {
  readonly pid: number
  readonly env: Readonly<Record<string, string | undefined>>
  /** Whether its stdin is a terminal. */
  readonly terminal: boolean
  write(bytes: Buffer): void
  /** Makes it another program, in /. */
  become(argv: readonly string[], env: Readonly<Record<string, string>>): void
}

/** Set while the server works for somebody else. */
export const callers = new AsyncLocalStorage<Caller>()

const own: Caller = {
  pid: process.pid,
  env: process.env,
  terminal: isatty(0),
  write: (bytes) => void process.stdout.write(bytes),
  become: (argv, env) => {
    process.chdir('/')
    process.execve?.(argv[0] ?? '', argv, env)
  },
}

export const caller = (): Caller => callers.getStore() ?? own

/** What a program of Windows sees of a Linux program's environment: variables that WSLENV names, without /u. */
export function windowsValue(name: string): string | undefined {
  const names = (caller().env['WSLENV'] ?? '').split(':').map((each) => each.split('/'))
  const found = names.find(([each]) => each === name)
  return found !== undefined && !(found[1] ?? '').includes('u') ? caller().env[name] : undefined
}

export function print(text: string): void {
  const utf8 = !inbox && windowsValue('WSL_UTF8') === '1'
  const lines = `${text}\n`.replaceAll('\n', '\r\n')
  caller().write(utf8 ? Buffer.from(lines) : Buffer.from(lines, 'utf16le'))
}

/** Ends wsl.exe as it ends itself: on stdout, with -1. */
export class WslFailure extends Error {
  readonly text: string
  constructor(name: MessageName, code?: string, value = '') {
    const said = message(language, name, value)
    super(said)
    this.text = code === undefined || inbox ? said : `${said}\n${message(language, 'errorCode', code)}`
  }
}

export interface Registration {
  readonly name: string
  readonly disk: string
  readonly state: 'Installed' | 'Installing' | 'Exporting'
  /** Of the wsl.exe that works on it. */
  readonly worker?: number
}

const registry = path.join(root, 'registry')

export function listRegistered(): Registration[] {
  mkdirSync(registry, { recursive: true })
  return readdirSync(registry)
    .filter((file) => file.endsWith('.json'))
    .toSorted()
    .flatMap((file) => {
      try {
        return [JSON.parse(readFileSync(path.join(registry, file), 'utf8')) as Registration]
      } catch {
        return []
      }
    })
}

/** Names are compared without case. */
export function findRegistered(name: string): Registration | undefined {
  return listRegistered().find((each) => each.name.toLowerCase() === name.toLowerCase())
}

export function requireRegistered(name: string): Registration {
  const found = findRegistered(name)
  if (found === undefined) throw new WslFailure('notFound', 'Wsl/Service/WSL_E_DISTRO_NOT_FOUND')
  return found
}

export function register(registration: Registration): void {
  mkdirSync(registry, { recursive: true })
  const file = path.join(registry, `${registration.name}.json`)
  writeFileSync(`${file}.${process.pid}`, JSON.stringify(registration))
  renameSync(`${file}.${process.pid}`, file)
}

export function forget(name: string): void {
  rmSync(path.join(registry, `${name}.json`), { force: true })
}

/** Short: lxc puts it into the name of a socket. */
export function idOf(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 12)
}

export function runFolder(name: string): string {
  return path.join(root, 'run', idOf(name))
}

export const lxcPath = path.join(root, 'lxc')

export function isAlive(pid: number): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2, text.lastIndexOf(')') + 3) !== 'Z'
  } catch {
    return false
  }
}

/** One wsl.exe at a time works on a distribution, as the service's own lock has it. */
export async function withLock<T>(name: string, action: () => T | Promise<T>): Promise<T> {
  const lock = path.join(root, `lock-${idOf(name)}`)
  mkdirSync(root, { recursive: true })
  for (;;) {
    try {
      mkdirSync(lock)
      writeFileSync(path.join(lock, 'pid'), String(process.pid))
      break
    } catch {
      clearDead(lock)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  try {
    return await action()
  } finally {
    rmSync(lock, { recursive: true, force: true })
  }
}

function clearDead(lock: string): void {
  try {
    const owner = readFileSync(path.join(lock, 'pid'), 'utf8')
    if (owner === '' || isAlive(Number(owner))) return
    const away = `${lock}-${process.pid}`
    renameSync(lock, away)
    rmSync(away, { recursive: true, force: true })
  } catch {
    // Just made, or just gone; an owner that died before it wrote its number leaves an old folder.
    try {
      if (Date.now() - statSync(lock).mtimeMs > 2000) rmdirSync(lock)
    } catch {
      return
    }
  }
}

/** A path of Windows as the stand-in has it: drive C is a folder. */
export function localPath(windows: string): string {
  const drive = /^([A-Za-z]):\\?(.*)$/s.exec(windows)
  if (drive === null) throw new WslFailure('missingFile', 'Wsl/ERROR_PATH_NOT_FOUND')
  const rest = (drive[2] ?? '').replaceAll('\\', '/')
  const plain = rest.replace(/[\uF001-\uF07F]/g, (each) => String.fromCharCode(each.charCodeAt(0) - 0xf000))
  return path.join(root, 'mnt', (drive[1] ?? '').toLowerCase(), plain)
}
