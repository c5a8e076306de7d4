/** Distributions of the stand-in: containers of lxc over an unpacked tarball, with the network of this machine. */
import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  createReadStream,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { WslFailure, idOf, isAlive, layers, lxcPath, root, runFolder, type Registration } from './world.ts'

const magic = 'holm stand-in disk\n'
const headerBytes = 512

/**
 * A disk is one file, so that it can be copied and registered again: a header that names the layer below, and a tar of
 * what was changed above it.
 */
interface Disk {
  readonly layer: string
}

export function readDisk(file: string): Disk {
  const head = Buffer.alloc(headerBytes)
  const handle = openSync(file, 'r')
  readSync(handle, head, 0, headerBytes, 0)
  closeSync(handle)
  const text = head.toString('utf8').replace(/\0+$/, '')
  if (!text.startsWith(magic))
    throw new WslFailure('importFailed', 'Wsl/Service/RegisterDistro/WSL_E_IMPORT_FAILED')
  return JSON.parse(text.slice(magic.length)) as Disk
}

function writeDisk(file: string, disk: Disk, tarOfChanges: string | undefined): void {
  const head = Buffer.alloc(headerBytes)
  head.write(magic + JSON.stringify(disk))
  const temporary = `${file}.${process.pid}`
  writeFileSync(temporary, head)
  if (tarOfChanges !== undefined) run('sh', ['-c', 'cat "$1" >>"$2"', 'sh', tarOfChanges, temporary])
  renameSync(temporary, file)
}

function run(program: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 26 })
  if (status === 0) return stdout
  throw new Error(`${program} ${args.join(' ')}: ${stderr || String(error)}`)
}

/** Unpacks a tarball into a layer. A file that did not change has been unpacked before; what comes through a pipe is new. */
export async function layerOf(source: string | Readable): Promise<string> {
  mkdirSync(layers, { recursive: true })
  const layer = path.join(
    layers,
    typeof source === 'string' ? idOfFile(source) : randomBytes(6).toString('hex'),
  )
  if (existsSync(layer)) return layer
  const draft = path.join(layers, `draft-${randomBytes(6).toString('hex')}`)
  mkdirSync(draft)
  try {
    await unpack(typeof source === 'string' ? createReadStream(source) : source, draft)
    if (!existsSync(layer)) renameSync(draft, layer)
    return layer
  } catch (error) {
    // Another was quicker.
    if (existsSync(layer)) return layer
    throw error
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

function idOfFile(file: string): string {
  const { dev, ino, size, mtimeMs } = statSync(file)
  return idOf(`${dev} ${ino} ${size} ${mtimeMs}`)
}

async function unpack(tar: Readable, folder: string): Promise<void> {
  const options = [
    '--extract',
    '--preserve-permissions',
    '--numeric-owner',
    '--xattrs',
    '--file=-',
    '--directory',
    folder,
  ]
  const child = spawn('tar', options, { stdio: ['pipe', 'ignore', 'ignore'] })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  await pipeline(tar, child.stdin).catch(() => undefined)
  if ((await ended) !== 0 || !existsSync(path.join(folder, 'etc')))
    throw new WslFailure('importFailed', 'Wsl/Service/RegisterDistro/WSL_E_IMPORT_FAILED')
}

export function newDisk(file: string, layer: string): void {
  writeDisk(file, { layer }, undefined)
}

export function isRunning(name: string): boolean {
  const { stdout } = spawnSync('lxc-info', ['-P', lxcPath, '-n', idOf(name), '-sH'], { encoding: 'utf8' })
  return stdout.trim() === 'RUNNING'
}

/** The first process of one that runs, as this machine numbers it. */
export function initOf(name: string): number {
  return Number(run('lxc-info', ['-P', lxcPath, '-n', idOf(name), '-pH']))
}

/** Starts it unless it runs. Call it under the lock. */
export function start({ name, disk }: Registration): void {
  if (isRunning(name)) return
  const folder = runFolder(name)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(path.join(folder, 'sessions'), { recursive: true })
  mkdirSync(path.join(folder, 'up'))
  if (statSync(disk).size > headerBytes)
    run('sh', [
      '-c',
      'tail -c +513 "$1" | tar -x -p --numeric-owner --xattrs --xattrs-include="*" -f - -C "$2"',
      'sh',
      disk,
      path.join(folder, 'up'),
    ])
  const config = path.join(folder, 'config')
  writeFileSync(config, lxcConfig(name, { folder, layer: readDisk(disk).layer }))
  mkdirSync(lxcPath, { recursive: true })
  const log = path.join(folder, 'log')
  run('lxc-execute', [
    '-P',
    lxcPath,
    '-n',
    idOf(name),
    '-f',
    config,
    '-o',
    log,
    '-d',
    '--',
    '/bin/sleep',
    'infinity',
  ])
  for (let left = 500; !isRunning(name); left -= 1) {
    if (left === 0) throw new Error(`lxc did not start ${name}: ${readFileSync(log, 'utf8').slice(-800)}`)
    spawnSync('sleep', ['0.01'])
  }
  watch(name, folder)
}

/** WSL's service ends a distribution some seconds after the last wsl.exe for it. */
function watch(name: string, folder: string): void {
  const idleMs = Number(process.env['HOLM_STANDIN_IDLE'] ?? 15_000)
  const script = `idle=0 how=--terminate-idle
while [ -d "$1/sessions" ]; do
  busy=
  for each in "$1"/sessions/*; do
    [ -e "$each" ] || continue
    if [ -d "/proc/\${each##*/}" ]; then busy=1; else rm -f "$each"; fi
  done
  # Nobody is left to stop what a killed test started.
  [ -z "$5" ] || [ -d "/proc/$5" ] || { busy= idle=$2 how=--terminate; }
  if [ -n "$busy" ]; then idle=0; else idle=$((idle + 200)); fi
  [ "$idle" -lt "$2" ] || exec "$3" "$how" "$4"
  sleep 0.2
done`
  const self = path.join(import.meta.dirname, 'wsl.exe')
  const env = { ...process.env, HOLM_STANDIN_NODE: process.execPath }
  const owner = process.env['HOLM_STANDIN_OWNER'] ?? ''
  const words = ['-c', script, 'stand-in-idle', folder, String(idleMs), self, name, owner]
  spawn('/bin/sh', words, { detached: true, stdio: 'ignore', cwd: '/', env }).unref()
}

function lxcConfig(
  name: string,
  { folder, layer }: { readonly folder: string; readonly layer: string },
): string {
  const conf = readConf([path.join(folder, 'up'), layer])
  const at = (conf['automount.root'] ?? '/mnt/').replace(/^\/|\/$/g, '')
  const drive = conf['automount.enabled'] === 'false' ? [] : [bind('mnt/c', `${at}/c`, 'rbind,create=dir')]
  return [
    `lxc.uts.name = ${conf['network.hostname'] ?? 'windows-host'}`,
    `lxc.rootfs.path = overlay:${layer}:${path.join(folder, 'up')}`,
    // All distributions have one network; the stand-in's is this machine's, as if localhost were forwarded.
    'lxc.net.0.type = none',
    'lxc.mount.auto = proc:rw sys:rw',
    'lxc.mount.entry = tmpfs run tmpfs rw,nosuid,nodev,mode=755,create=dir 0 0',
    bind('mnt/wsl', 'mnt/wsl', 'rbind,rslave,create=dir'),
    ...drive,
    'lxc.console.path = none',
    'lxc.tty.max = 0',
    'lxc.pty.max = 1024',
    'lxc.autodev = 1',
    'lxc.cap.drop =',
    `lxc.environment = WSL_DISTRO_NAME=${name}`,
    '',
  ].join('\n')
}

function bind(source: string, target: string, options: string): string {
  const escaped = [path.join(root, source), target].map((each) => each.replaceAll(' ', String.raw`\040`))
  return `lxc.mount.entry = ${escaped.join(' ')} none ${options} 0 0`
}

/** Keys of /etc/wsl.conf as "section.key". */
export function readConf(folders: readonly string[]): Record<string, string> {
  const file = folders.map((each) => path.join(each, 'etc/wsl.conf')).find((each) => existsSync(each))
  if (file === undefined) return {}
  const found: Record<string, string> = {}
  let section = ''
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    section = /^\[([^\]]+)\]/.exec(line.trim())?.[1] ?? section
    const pair = /^\s*(\w+)\s*=\s*(.*?)\s*$/.exec(line)
    if (pair !== null) found[`${section}.${pair[1] ?? ''}`] = (pair[2] ?? '').replace(/^"(.*)"$/, '$1')
  }
  return found
}

/** Ends it and packs what was changed into its disk. Call it under the lock. */
export function stop({ name, disk }: Registration): void {
  const folder = runFolder(name)
  if (isRunning(name)) spawnSync('lxc-stop', ['-P', lxcPath, '-n', idOf(name), '-k'])
  if (!existsSync(path.join(folder, 'up'))) return
  const changes = path.join(folder, 'changes.tar')
  run('tar', [
    '-c',
    '--numeric-owner',
    '--xattrs',
    '--xattrs-include=*',
    '-f',
    changes,
    '-C',
    path.join(folder, 'up'),
    '.',
  ])
  writeDisk(disk, readDisk(disk), changes)
  rmSync(folder, { recursive: true, force: true })
}

export function hasSessions(name: string): boolean {
  const folder = path.join(runFolder(name), 'sessions')
  const { stdout } = spawnSync('ls', [folder], { encoding: 'utf8' })
  return stdout
    .split('\n')
    .filter(Boolean)
    .some((pid) => isAlive(Number(pid)))
}

/** The whole file system as a tar; the distribution does not run. */
export function exportTo({ name, disk }: Registration, file: string): void {
  const folder = `${runFolder(name)}-export-${process.pid}`
  for (const each of ['up', 'work', 'merged']) mkdirSync(path.join(folder, each), { recursive: true })
  try {
    const script = `tail -c +513 "$1" | { tar -x -p --numeric-owner --xattrs --xattrs-include="*" -f - -C "$2/up" 2>/dev/null || true; }
mount -t overlay -o "lowerdir=$3,upperdir=$2/up,workdir=$2/work" overlay "$2/merged" && tar -c --numeric-owner -f "$4" -C "$2/merged" .`
    const { layer } = readDisk(disk)
    const words = ['--mount', 'sh', '-c', script, 'sh', disk, folder, layer, file]
    const { status } = spawnSync('unshare', words, { stdio: ['ignore', 'inherit', 'inherit'] })
    if (status !== 0) throw new Error(`${file} was not written`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
