// Disks of the stand-in: a tarball unpacked once, and a folder on top of it per instance.
import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { home, quoteName } from './instance.mjs'

/** Of digests and unpacked images; several homes may share it. */
const cache = process.env.HOLM_STAND_IN_CACHE ?? `${home}/_cache`

/** What is wrong, or undefined. */
export function createDisk(name, { images }) {
  const errors = []
  for (const { location, digest } of images) {
    if (!existsSync(location)) {
      const said = location.includes('://')
        ? 'HTTP status 404 Not Found'
        : `stat ${location}: no such file or directory`
      errors.push(`failed to download ${quoteName(location)}: ${said}`)
      continue
    }
    const [algorithm, wanted] = (digest ?? ':').split(':')
    const found = wanted && digestOf(location, algorithm)
    if (found !== wanted) {
      errors.push(
        `failed to download ${quoteName(location)}: expected digest ${quoteName(digest)}, got ${quoteName(`${algorithm}:${found}`)}`,
      )
      continue
    }
    const dir = `${home}/${name}/disk`
    mkdirSync(`${dir}/upper`, { recursive: true })
    mkdirSync(`${dir}/work`)
    writeFileSync(`${dir}/lower`, unpack(location))
    return undefined
  }
  return errors.join('\n')
}

/** Remembered, as Lima remembers the digest of what it has in its cache. */
function digestOf(location, algorithm) {
  const { size, mtimeMs, ino } = statSync(location)
  const note = `${cache}/${algorithm}-${ino}-${size}-${mtimeMs}`
  if (existsSync(note)) return readFileSync(note, 'utf8')
  const digest = createHash(algorithm).update(readFileSync(location)).digest('hex')
  mkdirSync(cache, { recursive: true })
  writeFileSync(`${note}-${process.pid}`, digest)
  renameSync(`${note}-${process.pid}`, note)
  return digest
}

/** Folder of the image's files: made once, shared by all instances, and by all that make it at this moment. */
function unpack(location) {
  const key = digestOf(location, 'sha256').slice(0, 16)
  const folder = `${cache}/${key}`
  if (existsSync(folder)) return folder
  const draft = `${folder}-${randomBytes(4).toString('hex')}`
  mkdirSync(draft, { recursive: true })
  const { status, stderr } = spawnSync('tar', ['-x', '--numeric-owner', '-f', location, '-C', draft])
  if (status !== 0) throw new Error(String(stderr))
  // What cloud-init would do: the account, and its right to become root.
  const sudo = `${draft}/usr/bin/sudo`
  if (!existsSync(sudo))
    writeFileSync(sudo, '#!/bin/sh\n[ "$1" = -n ] && shift\nexec "$@"\n', { mode: 0o755 })
  try {
    renameSync(draft, folder)
  } catch {
    rmSync(draft, { recursive: true, force: true })
  }
  return folder
}

/** pkg/instance/clone.go: everything but pid files and sockets. */
export function copyInstance(from, to) {
  mkdirSync(to, { mode: 0o700 })
  for (const entry of readdirSync(from)) {
    if (/\.(pid|sock|tmp)$/.test(entry) || entry === 'protected') continue
    // cp keeps devices and attributes, which is how an overlay notes what was removed.
    copy(`${from}/${entry}`, `${to}/${entry}`)
  }
}

function copy(from, to) {
  const { status, stderr } = spawnSync('cp', ['-a', '--reflink=auto', from, to])
  if (status !== 0) throw new Error(String(stderr))
}

export const listTags = (dir) => (existsSync(`${dir}/snapshots`) ? readdirSync(`${dir}/snapshots`) : [])

/** What is wrong, or undefined. A running machine's memory is not among what is kept here. */
export function snapshotDisk({ dir, status }, { action, tag }) {
  const saved = `${dir}/snapshots/${tag}`
  if (action === 'create') {
    mkdirSync(`${dir}/snapshots`, { recursive: true })
    copy(`${dir}/disk/upper`, saved)
    return undefined
  }
  if (!existsSync(saved)) return 'exit status 1'
  if (action === 'delete') {
    rmSync(saved, { recursive: true })
    return undefined
  }
  if (status === 'Running') return 'the stand-in keeps no memory: stop the instance first'
  rmSync(`${dir}/disk/upper`, { recursive: true })
  rmSync(`${dir}/disk/work`, { recursive: true, force: true })
  mkdirSync(`${dir}/disk/work`)
  copy(saved, `${dir}/disk/upper`)
  return undefined
}
