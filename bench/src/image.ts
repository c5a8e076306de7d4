import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../../scripts/command.ts'
import { root } from '../../scripts/root.ts'
import { prepareRootfs } from '../../scripts/testing/rootfs.ts'
import { runProgram } from './program.ts'

export interface ImageSource {
  readonly tarball: string
  readonly description: string
}

const tarball = join(root, '.cache', `bench-busybox-${process.arch}.tar`)
const applets = [
  'sh',
  'cat',
  'true',
  'sleep',
  'env',
  'id',
  'uname',
  'ls',
  'mkdir',
  'chmod',
  'test',
  'grep',
  'ps',
]

/** A root filesystem of one static program: what is measured is the engine and its client, not the unpacking of an image. */
export async function prepareImage(): Promise<ImageSource> {
  if (!existsSync(tarball)) await makeBusybox()
  if (existsSync(tarball)) return { tarball, description: "Debian's busybox-static, 2 MB" }
  const rootfs = await prepareRootfs()
  if (rootfs === undefined)
    throw new Error('no base image: neither busybox-static nor a Debian root could be made')
  return { tarball: rootfs, description: 'Debian 12 with python3, the image of the tests' }
}

async function makeBusybox(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'holm-bench-image-'))
  try {
    const download = await runCommand(['apt-get', 'download', 'busybox-static'], { cwd: folder })
    const archive = readdirSync(folder).find((name) => name.endsWith('.deb'))
    if (download.code !== 0 || archive === undefined) return
    const tree = join(folder, 'root')
    await runProgram(['dpkg-deb', '-x', join(folder, archive), tree])
    fillTree(tree)
    mkdirSync(join(root, '.cache'), { recursive: true })
    await runProgram([
      'tar',
      '--numeric-owner',
      '--owner=0',
      '--group=0',
      '-cf',
      join(folder, 'x.tar'),
      '-C',
      tree,
      '.',
    ])
    // A rename within one file system is atomic; /tmp may be another one.
    await runProgram(['cp', join(folder, 'x.tar'), `${tarball}.${process.pid}`])
    renameSync(`${tarball}.${process.pid}`, tarball)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The least that the three clients ask for: a shell, a few programs, a root user with a home. */
function fillTree(tree: string): void {
  rmSync(join(tree, 'usr'), { recursive: true, force: true })
  for (const name of ['etc', 'root', 'tmp', 'proc', 'sys', 'dev', 'workspace']) mkdirSync(join(tree, name))
  for (const name of applets) symlinkSync('busybox', join(tree, 'bin', name))
  writeFileSync(join(tree, 'etc', 'passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
  writeFileSync(join(tree, 'etc', 'group'), 'root:x:0:\n')
}
