import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { lastLines, runCommand } from '../command.ts'
import { root } from '../root.ts'
import { hasCommand, isRoot } from './machine.ts'
import { bootstrap } from './rootfs.ts'

/** What makes it a machine of a cloud: an init system, cloud-init with what it grows disks with, DHCP, SSH. */
const packages = [
  'cloud-guest-utils',
  'cloud-init',
  'dbus',
  'e2fsprogs',
  'fdisk',
  'ifupdown',
  'iproute2',
  'isc-dhcp-client',
  'netbase',
  'openssh-server',
  'systemd-sysv',
  'udev',
]

const sectorBytes = 512
const firstSector = 2048
const diskBytes = 2 * 1024 ** 3
const needed = ['mmdebstrap', 'mke2fs', 'qemu-img']

/**
 * A disk with cloud-init as clouds publish them, made from Debian's packages and kept under .cache/: a partition table, one
 * partition, no kernel that anything boots (machines are started with one of this machine's). Needs no mount and no loop device.
 */
export async function prepareDisk(): Promise<string | undefined> {
  const key = createHash('sha256')
    .update(JSON.stringify([packages, diskBytes, 1]))
    .digest('hex')
    .slice(0, 12)
  const path = join(root, '.cache', `disk-${process.arch}-${key}.qcow2`)
  if (existsSync(path)) return path
  const missing = needed.filter((name) => !hasCommand(name))
  if (missing.length > 0 || !isRoot()) {
    console.log(`disk: not made, it needs root and ${needed.join(', ')}; the test of a disk is skipped`)
    return undefined
  }
  console.log('disk: making one with cloud-init from Debian packages (a minute or more) ...')
  mkdirSync(join(root, '.cache'), { recursive: true })
  const folder = mkdtempSync(join(root, '.cache', 'disk-draft-'))
  const since = performance.now()
  try {
    await makeDisk(folder)
    renameSync(join(folder, 'disk.qcow2'), path)
    console.log(`disk: made in ${((performance.now() - since) / 1000).toFixed(1)} s`)
    return path
  } catch (error) {
    console.log(`disk: ${(error as Error).message}; the test of a disk is skipped`)
    return undefined
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function makeDisk(folder: string): Promise<void> {
  const tree = join(folder, 'tree')
  const image = join(folder, 'disk.raw')
  await run(bootstrap({ packages, format: 'directory', target: tree }))
  writeFileSync(join(tree, 'etc/fstab'), '/dev/vda1 / ext4 rw,noatime 0 0\n')
  writeFileSync(join(tree, 'etc/machine-id'), '')
  await writeTable(image)
  const offset = `offset=${firstSector * sectorBytes}`
  const blocks = diskBytes / 4096 - (firstSector * sectorBytes) / 4096
  await run([
    'mke2fs',
    '-q',
    '-F',
    '-t',
    'ext4',
    '-b',
    '4096',
    '-L',
    'root',
    '-d',
    tree,
    '-E',
    offset,
    image,
    String(blocks),
  ])
  await run(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', image, join(folder, 'disk.qcow2')])
}

/** A partition table of the old kind with one bootable Linux partition to the end. */
async function writeTable(image: string): Promise<void> {
  const sector = Buffer.alloc(sectorBytes)
  const entry = 0x1be
  sector.writeUInt32LE(0x686f6c6d, 0x1b8)
  sector.writeUInt8(0x80, entry)
  sector.writeUInt8(0x83, entry + 4)
  sector.writeUInt32LE(firstSector, entry + 8)
  sector.writeUInt32LE(diskBytes / sectorBytes - firstSector, entry + 12)
  sector.writeUInt16LE(0xaa55, 0x1fe)
  const file = await open(image, 'w')
  await file.write(sector, 0, sectorBytes, 0)
  await file.truncate(diskBytes)
  await file.close()
}

async function run(argv: readonly string[]): Promise<void> {
  const { code, output } = await runCommand(argv, { timeoutMs: 10 * 60_000 })
  if (code !== 0) throw new Error(`${argv[0]} failed:\n${lastLines(output, 15)}`)
}
