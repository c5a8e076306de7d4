import { existsSync, realpathSync } from 'node:fs'
import { appendFile, cp, mkdir, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describeEnd, runProgram } from './holm.ts'
import { makeBusyboxRootfs, missingBusybox } from './images.ts'

/** What an engine inside consists of; iptables is used where it is there. */
const programs = ['dockerd', 'docker', 'docker-init', 'containerd', 'containerd-shim-runc-v2', 'runc']

/** dockerd and what it starts are in sbin, which is not on everybody's PATH. */
const PATH = `/usr/sbin:/sbin:/usr/bin:/bin:${process.env['PATH'] ?? ''}`

/** Why no engine can be put into a base here, or undefined. */
export async function missingEnginePrograms(): Promise<string | undefined> {
  const found = await Promise.all(programs.map(placeOf))
  const missing = programs.filter((_, index) => found[index] === undefined)
  return missing.length === 0
    ? missingBusybox()
    : `${missing.join(', ')} is not installed: apt-get install docker.io`
}

/**
 * A tarball in `folder` with busybox and this machine's own engine: what somebody's base with an engine in it looks like, without a
 * package source. Returns its path, and that of one with busybox alone, for an image inside.
 */
export async function makeEngineRootfs(
  folder: string,
): Promise<{ readonly engine: string; readonly small: string }> {
  const small = await makeBusyboxRootfs(folder)
  const tree = join(folder, 'busybox')
  const places = (await Promise.all([...programs, 'iptables'].map(placeOf))).filter(
    (place) => place !== undefined,
  )
  const modules = (await exists('/usr/lib')).flatMap((name) => {
    const place = join('/usr/lib', name, 'xtables')
    return existsSync(place) ? [place] : []
  })
  const libraries = await librariesOf([...places, ...(await inside(modules))])
  for (const path of new Set([...places, ...modules, ...libraries])) await copyIn(tree, path)
  await appendFile(join(tree, 'etc', 'group'), 'root:x:0:\ndocker:x:999:\ndev:x:1000:\n')
  await appendFile(join(tree, 'etc', 'passwd'), 'dev:x:1000:1000::/:/bin/sh\n')
  const engine = join(folder, 'engine.tar')
  const argv = ['tar', '-cf', engine, '-C', tree, '.']
  const made = await runProgram(argv)
  if (made.code !== 0) throw new Error(describeEnd(argv, made))
  return { engine, small }
}

async function placeOf(program: string): Promise<string | undefined> {
  const { stdout } = await runProgram(['sh', '-c', `command -v ${program}`], { env: { PATH } })
  return stdout.trim() === '' ? undefined : stdout.trim()
}

async function exists(folder: string): Promise<readonly string[]> {
  return existsSync(folder) ? readdir(folder) : []
}

async function inside(folders: readonly string[]): Promise<readonly string[]> {
  const names = await Promise.all(
    folders.map(async (folder) => (await readdir(folder)).map((name) => join(folder, name))),
  )
  return names.flat()
}

/** As the loader finds them; a static program has none. */
async function librariesOf(paths: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await runProgram(['ldd', ...paths.map((path) => realpathSync(path))])
  return stdout
    .split('\n')
    .flatMap((line) => /=> (\/\S+)/.exec(line)?.[1] ?? /^\s(\/\S+) \(/.exec(line)?.[1] ?? [])
}

/** What it is, at the path that it is asked for. */
async function copyIn(tree: string, path: string): Promise<void> {
  const target = join(tree, path)
  await mkdir(dirname(target), { recursive: true })
  await cp(realpathSync(path), target, { recursive: true, dereference: true })
}
