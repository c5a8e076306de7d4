/**
 * Stands for wsl.exe, for tests: it reads its command line, writes and ends as wsl.exe 2.x does (taken from its source and
 * from output that users reported), and runs distributions on lxc. It stands for the interop of a distribution, too: its
 * arguments become one Windows command line first, and of its environment Windows sees what WSLENV names.
 *
 * HOLM_STANDIN: folder of everything. HOLM_STANDIN_LAYERS, _VERSION, _LANGUAGE, _IDLE (ms): see world.ts, distribution.ts.
 */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterWord, commandLineToArgv, firstWord, toCommandLine } from './command-line.ts'
import * as distribution from './distribution.ts'
import { message, type MessageName } from './messages.ts'
import {
  WslFailure,
  caller,
  findRegistered,
  forget,
  idOf,
  inbox,
  isAlive,
  language,
  listRegistered,
  localPath,
  lxcPath,
  print,
  register,
  requireRegistered,
  runFolder,
  version,
  withLock,
  type Registration,
} from './world.ts'

/** -1, as a Linux parent sees it. */
const failed = 255

const say = (name: MessageName, value = ''): void => print(message(language, name, value))

/** Options that take a word and are followed by others. */
const prefixes: Readonly<Record<string, (options: LaunchOptions, value: string) => void>> = {
  '-d': (options, value) => (options.distribution = value),
  '--distribution': (options, value) => (options.distribution = value),
  '-u': (options, value) => (options.user = value),
  '--user': (options, value) => (options.user = value),
  '--cd': () => undefined,
}

/** Commands that read the rest of the line as CommandLineToArgvW does. */
const commands: Readonly<Record<string, (words: readonly string[]) => number | Promise<number>>> = {
  '--import': importTar,
  '--import-in-place': importDisk,
  '--export': exportTar,
  '--list': list,
  '-l': list,
  '--terminate': terminate,
  '-t': terminate,
  '--terminate-idle': terminateIdle,
  '--unregister': unregister,
  '--shutdown': shutdown,
  '--status': status,
  '--version': tellVersion,
  '-v': tellVersion,
}

const unknownToInbox = new Set(['--cd', '--import-in-place', '--version', '-v'])

async function main(line: string): Promise<number> {
  const options: LaunchOptions = { user: 'root' }
  let rest = line
  for (;;) {
    const word = firstWord(rest)
    const after = afterWord(rest, word)
    if (inbox && unknownToInbox.has(word)) return unknown(word)
    const prefix = prefixes[word]
    if (prefix === undefined) return finish({ word, rest, after, options })
    const value = firstWord(after)
    if (value === '') throw new WslFailure('parameter', 'Wsl/E_INVALIDARG')
    prefix(options, value)
    rest = afterWord(after, value)
  }
}

interface LastWord {
  readonly word: string
  readonly rest: string
  readonly after: string
  readonly options: LaunchOptions
}

/** What follows the options: a program without a shell, one with it, or a command. */
function finish({ word, rest, after, options }: LastWord): number | Promise<number> {
  if (word === '-e' || word === '--exec') return launch(options, commandLineToArgv(after))
  if (word === '--') return launch(options, ['/bin/sh', '-c', after])
  const command = commands[word]
  if (command) return command(commandLineToArgv(`x ${after}`).slice(1))
  return word.startsWith('-') || word === '' ? unknown(word) : launch(options, ['/bin/sh', '-c', rest])
}

function tellVersion(): number {
  say('versions', version)
  return 0
}

function unknown(word: string): number {
  say(inbox ? 'inboxUnknownOption' : 'unknownOption', word)
  return failed
}

interface LaunchOptions {
  distribution?: string
  user: string
}

/**
 * Becomes the program. wsl.exe takes two codes for messages of its own. (It also passes a signal on as its bare number, 9
 * for SIGKILL, where lxc-attach says 137: whether that was a signal or an exit cannot be told here.)
 */
const launchScript = `trap : INT QUIT
"$@"
code=$?
case $code in
67) printf 'User not found.\\r\\nError code: Wsl/Service/WSL_E_USER_NOT_FOUND\\r\\n'; exit 255 ;;
87) printf 'The maximum number of terminals is in use.\\r\\nError code: Wsl/Service/WSL_E_TTY_LIMIT\\r\\n'; exit 255 ;;
esac
exit $code`

async function launch(
  { distribution: given, user }: LaunchOptions,
  argv: readonly string[],
): Promise<number> {
  if (argv.length === 0 || argv[0] === '') throw new WslFailure('parameter', 'Wsl/E_INVALIDARG')
  const own = caller().env['WSL_DISTRO_NAME']
  const env = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/root',
    USER: 'root',
    ...passed(),
  }
  const become = (words: readonly string[]): number => {
    caller().become(['/bin/sh', '-c', launchScript, 'wsl.exe', ...words], env)
    return failed
  }
  if (given !== undefined && given === own) return become(argv)
  const found = given === undefined ? listRegistered()[0] : requireRegistered(given)
  if (found === undefined) throw new WslFailure('none')
  if (found.state !== 'Installed')
    throw new WslFailure('busy', 'Wsl/Service/CreateInstance/E_ILLEGAL_STATE_CHANGE')
  if (user !== 'root') throw new WslFailure('userMissing', 'Wsl/Service/WSL_E_USER_NOT_FOUND')
  await withLock(found.name, () => {
    distribution.start(requireRegistered(found.name))
    writeFileSync(path.join(runFolder(found.name), 'sessions', String(caller().pid)), '')
  })
  return become([...(caller().terminal ? terminalWords(found.name) : attachWords(found.name)), ...argv])
}

function attachWords(name: string): string[] {
  return ['/usr/bin/lxc-attach', '-P', lxcPath, '-n', idOf(name), '--keep-env', '--']
}

/** lxc-attach would put a terminal of its own in between, which turns line ends twice. Ctrl-C is for the program alone. */
function terminalWords(name: string): string[] {
  const signals = 'INT,QUIT,TSTP'
  const namespaces = ['--mount', '--uts', '--ipc', '--pid', '--root', '--wd']
  const enter = ['nsenter', '--target', String(distribution.initOf(name)), ...namespaces, '--']
  return ['env', `--ignore-signal=${signals}`, ...enter, 'env', `--default-signal=${signals}`]
}

/** Variables that WSLENV lets through Windows into the distribution: no flag, neither /w nor /u alone gets both ways. */
function passed(): Record<string, string> {
  const { env } = caller()
  const list = env['WSLENV'] ?? ''
  const names = list.split(':').filter((each) => each !== '' && !each.includes('/'))
  const values = names.map((name) => [name, env[name] ?? ''] as const)
  return { ...Object.fromEntries(values), WSLENV: list }
}

async function importTar(words: readonly string[]): Promise<number> {
  const [name, folder, file] = words.filter(
    (each, index) => each !== '--version' && words[index - 1] !== '--version',
  )
  if (name === undefined || folder === undefined || file === undefined)
    throw new WslFailure('parameter', 'Wsl/E_INVALIDARG')
  const place = localPath(folder)
  if (!existsSync(path.dirname(place))) throw new WslFailure('missingFile', 'Wsl/ERROR_PATH_NOT_FOUND')
  mkdirSync(place, { recursive: true })
  if (file !== '-' && !existsSync(localPath(file)))
    throw new WslFailure('missingFile', 'Wsl/ERROR_FILE_NOT_FOUND')
  const disk = path.join(place, 'ext4.vhdx')
  claim({ name, disk, state: 'Installing', worker: process.pid })
  say('importing')
  try {
    const layer = await distribution.layerOf(file === '-' ? process.stdin : localPath(file))
    distribution.newDisk(disk, layer)
  } catch (error) {
    forget(name)
    throw error
  }
  register({ name, disk, state: 'Installed' })
  say('done')
  return 0
}

function claim(registration: Registration): void {
  const { name, disk } = registration
  const taken = findRegistered(name) ?? listRegistered().find((each) => each.disk === disk)
  if (taken) throw new WslFailure('exists', 'Wsl/Service/RegisterDistro/ERROR_ALREADY_EXISTS')
  register(registration)
}

function importDisk([name, file]: readonly string[]): number {
  if (name === undefined || file === undefined) throw new WslFailure('parameter', 'Wsl/WSL_E_INVALID_USAGE')
  const disk = localPath(file)
  if (!existsSync(disk))
    throw new WslFailure('missingFile', 'Wsl/Service/RegisterDistro/ERROR_FILE_NOT_FOUND')
  distribution.readDisk(disk)
  claim({ name, disk, state: 'Installed' })
  say('done')
  return 0
}

/** Ends a distribution that runs, as the service does. */
async function exportTar([name, file]: readonly string[]): Promise<number> {
  if (name === undefined || file === undefined) throw new WslFailure('parameter', 'Wsl/E_INVALIDARG')
  const found = requireRegistered(name)
  if (found.state !== 'Installed') throw new WslFailure('busy', 'Wsl/Service/E_ILLEGAL_STATE_CHANGE')
  register({ ...found, state: 'Exporting', worker: process.pid })
  try {
    await withLock(found.name, () => {
      distribution.stop(found)
      distribution.exportTo(found, file === '-' ? '/dev/stdout' : localPath(file))
    })
  } finally {
    register(found)
  }
  if (file !== '-') {
    say('exporting')
    say('done')
  }
  return 0
}

function list(words: readonly string[]): number {
  const has = (...names: string[]): boolean => names.some((each) => words.includes(each))
  const quiet = has('-q', '--quiet')
  const everything = listRegistered()
  const shown = everything.filter(({ name, state }) => {
    if (has('--running')) return state === 'Installed' && distribution.isRunning(name)
    return state === 'Installed' || has('--all', '-v', '--verbose')
  })
  if (has('-v', '--verbose')) {
    if (everything.length === 0) throw new WslFailure('none')
    table(shown)
    return 0
  }
  if (!quiet && shown.length === 0) {
    if (!has('--running')) throw new WslFailure('none')
    say('noneRunning')
    return failed
  }
  for (const { name } of shown) print(name)
  return 0
}

function table(shown: readonly Registration[]): void {
  const width = Math.max(4, ...shown.map(({ name }) => name.length)) + 4
  print(`  ${'NAME'.padEnd(width)}${'STATE'.padEnd(16)}VERSION`)
  shown.forEach(({ name, state }, index) => {
    const word = state === 'Installed' ? (distribution.isRunning(name) ? 'Running' : 'Stopped') : state
    print(`${index === 0 ? '*' : ' '} ${name.padEnd(width)}${word.padEnd(16)}2`)
  })
}

async function terminate([name = '']: readonly string[]): Promise<number> {
  const found = requireRegistered(name)
  await withLock(found.name, () => distribution.stop(found))
  say('done')
  return 0
}

async function terminateIdle([name = '']: readonly string[]): Promise<number> {
  const found = findRegistered(name)
  if (found === undefined) return 0
  await withLock(found.name, () => {
    if (!distribution.hasSessions(name)) distribution.stop(found)
  })
  return 0
}

async function unregister([name = '']: readonly string[]): Promise<number> {
  const found = requireRegistered(name)
  if (found.state !== 'Installed' && found.worker !== undefined && isAlive(found.worker))
    throw new WslFailure('busy', 'Wsl/Service/E_ILLEGAL_STATE_CHANGE')
  await withLock(found.name, () => {
    distribution.stop(found)
    const away = `${found.disk}.gone`
    if (existsSync(found.disk)) renameSync(found.disk, away)
    rmSync(away, { force: true })
    forget(found.name)
  })
  say('done')
  return 0
}

async function shutdown(): Promise<number> {
  for (const found of listRegistered()) await withLock(found.name, () => distribution.stop(found))
  return 0
}

function status(): number {
  const [first] = listRegistered()
  if (first) print(`${language === 'de' ? 'Standarddistribution' : 'Default Distribution'}: ${first.name}`)
  say('defaultVersion')
  return 0
}

/** Returns the code that it ends with. */
export async function runWsl(argv: readonly string[]): Promise<number> {
  try {
    return await main(toCommandLine(argv))
  } catch (error) {
    if (!(error instanceof WslFailure)) throw error
    print(error.text)
    return failed
  }
}
