import { accessSync, constants, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { lastLines, runCommand } from '../command.ts'

/** Commands that test tiers need, and the Debian package that has each. */
const needs: Readonly<Record<string, string>> = {
  bwrap: 'bubblewrap',
  busybox: 'busybox-static',
  'chromium-headless-shell': 'chromium-headless-shell',
  containerd: 'containerd',
  dockerd: 'docker.io',
  dnsmasq: 'dnsmasq-base',
  git: 'git',
  ip: 'iproute2',
  iptables: 'iptables',
  'lxc-start': 'lxc',
  lxd: 'lxd',
  mke2fs: 'e2fsprogs',
  'mkfs.btrfs': 'btrfs-progs',
  mmdebstrap: 'mmdebstrap',
  newuidmap: 'uidmap',
  rsync: 'rsync',
  ssh: 'openssh-client',
  sshd: 'openssh-server',
  'qemu-img': 'qemu-utils',
  'qemu-system-aarch64': 'qemu-system-arm',
  'qemu-system-x86_64': 'qemu-system-x86',
  // One of the network plugins that containerd's environments need.
  portmap: 'containernetworking-plugins',
  runc: 'runc',
  tmux: 'tmux',
  unshare: 'util-linux',
  xz: 'xz-utils',
}

export function hasCommand(name: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/lib/cni']
  return folders.some((folder) => isExecutable(join(folder, name)))
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export function isRoot(): boolean {
  return process.platform === 'linux' && process.getuid?.() === 0
}

function isDebian(): boolean {
  try {
    return /^ID(_LIKE)?=.*debian/m.test(readFileSync('/etc/os-release', 'utf8'))
  } catch {
    return false
  }
}

/** Installs what is missing where that is ours to do, and says what stays missing: those tiers skip. */
export async function prepareMachine(): Promise<void> {
  if (process.platform !== 'linux') return
  const missing = listMissing()
  if (missing.length === 0) return
  const packages = missing.map((name) => needs[name]).filter((name) => name !== undefined)
  if (isRoot() && isDebian()) await installPackages(packages)
  const still = listMissing()
  if (still.length > 0) console.log(`machine: without ${still.join(', ')}; tests that need them are skipped`)
}

function listMissing(): string[] {
  return Object.keys(needs).filter((name) => !hasCommand(name))
}

async function installPackages(packages: readonly string[]): Promise<void> {
  console.log(`machine: installing ${packages.join(' ')} ...`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const timeoutMs = 10 * 60_000
  const update = await runCommand(['apt-get', 'update', '-q'], { env, timeoutMs })
  const install = ['apt-get', 'install', '-q', '-y', '--no-install-recommends', ...packages]
  const { code, output } = await runCommand(install, { env, timeoutMs })
  if (code !== 0) console.log(lastLines(`${update.output}${output}`, 20))
}
