import { createReadStream } from 'node:fs'
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises'
import { request, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { hasCommand } from '../../scripts/testing/machine.ts'
import { describeEnd, runProgram } from './holm.ts'

/** Why no image can be made here, or undefined. */
export async function missingBusybox(): Promise<string | undefined> {
  if (!hasCommand('busybox') || !hasCommand('ldd'))
    return 'busybox is not installed: apt-get install busybox-static'
  const { stdout, stderr } = await runProgram(['sh', '-c', 'ldd "$(command -v busybox)"'])
  return /not a dynamic/.test(stdout + stderr)
    ? undefined
    : 'busybox is not static: apt-get install busybox-static'
}

/** A tarball in `folder` with every program of busybox, and a page that its web server can serve. Returns its path. */
export async function makeBusyboxRootfs(folder: string): Promise<string> {
  const tree = join(folder, 'busybox')
  for (const each of ['bin', 'etc', 'tmp', 'www', 'data']) await mkdir(join(tree, each), { recursive: true })
  const { stdout: place } = await runProgram(['sh', '-c', 'command -v busybox'])
  await copyFile(place.trim(), join(tree, 'bin', 'busybox'))
  const { stdout: list } = await runProgram(['busybox', '--list'])
  const applets = list
    .trim()
    .split('\n')
    .filter((name) => name !== 'busybox')
  for (const name of applets) await symlink('busybox', join(tree, 'bin', name))
  await writeFile(join(tree, 'etc', 'passwd'), 'root:x:0:0::/:/bin/sh\n')
  await writeFile(join(tree, 'www', 'index.html'), 'a page\n')
  const path = join(folder, 'busybox.tar')
  const argv = ['tar', '-cf', path, '-C', tree, '.']
  const made = await runProgram(argv)
  if (made.code !== 0) throw new Error(describeEnd(argv, made))
  return path
}

export interface EngineImage {
  readonly tarball: string
  /** With a tag. */
  readonly reference: string
  /** Lines of a Dockerfile. */
  readonly changes: readonly string[]
}

/** Gives the engine an image, as `docker import` does. */
export async function importImage(host: string, { tarball, reference, changes }: EngineImage): Promise<void> {
  const [repo = '', tag = ''] = reference.split(/:(?=[^:/]*$)/)
  const query = new URLSearchParams({ fromSrc: '-', repo, tag })
  for (const change of changes) query.append('changes', change)
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const call = request(
    {
      socketPath: host.replace('unix://', ''),
      path: `/images/create?${query.toString()}`,
      method: 'POST',
      headers: { 'content-type': 'application/x-tar' },
      timeout: 60_000,
    },
    resolve,
  )
  call.on('error', reject)
  call.on('timeout', () => call.destroy(new Error(`the import of ${reference} was not answered`)))
  await pipeline(createReadStream(tarball), call)
  const response = await promise
  let said = ''
  for await (const chunk of response) said += String(chunk)
  if (response.statusCode !== 200 || /"error"/.test(said)) throw new Error(`${reference}: ${said}`)
}

export async function removeImage(host: string, reference: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const call = request(
    {
      socketPath: host.replace('unix://', ''),
      path: `/images/${reference}?force=1`,
      method: 'DELETE',
      timeout: 60_000,
    },
    resolve,
  )
  call.on('error', reject)
  call.on('timeout', () => call.destroy(new Error(`the removal of ${reference} was not answered`)))
  call.end()
  ;(await promise).resume()
}
