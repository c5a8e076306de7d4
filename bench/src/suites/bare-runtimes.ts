import { copyFileSync, globSync, mkdirSync, readFileSync, appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { HostApi } from '@holm/core'
import type { Lab } from '../lab.ts'

export interface BareInput {
  readonly rootfs: string
  /** Has the environment up: what its runtime holds of the base can be used. */
  readonly host: HostApi
  readonly name: string
}

export interface BareTool {
  readonly name: string
  readonly run: () => Promise<unknown>
  readonly after: () => Promise<unknown>
  readonly dispose: () => Promise<unknown>
}

/** A runtime driven by hand: create, start, run `true`, as its documentation shows. */
export interface BareRuntime {
  readonly provider: string
  /** Of holm's environment: the same as the bare tool makes. */
  readonly network: 'default' | 'none'
  prepare(lab: Lab, input: BareInput): Promise<BareTool>
}

const nothing = (): Promise<void> => Promise.resolve()

export const bareDocker: BareRuntime = {
  provider: 'docker',
  network: 'default',
  prepare: async (lab, { rootfs }) => {
    const image = `${lab.namespace}-rootfs:latest`
    await lab.docker('import', rootfs, image)
    const container = `${lab.namespace}-bare`
    return {
      name: 'docker run; docker exec',
      run: async () => {
        await lab.docker('run', '--detach', '--name', container, image, 'sleep', 'infinity')
        await lab.docker('exec', container, 'true')
      },
      after: () => lab.docker('rm', '--force', container),
      dispose: () => lab.docker('image', 'rm', '--force', image),
    }
  },
}

/** With the image that holm imported, in holm's own namespace of containerd. */
export const bareContainerd: BareRuntime = {
  provider: 'containerd',
  network: 'none',
  prepare: async (lab) => {
    const address = lab.env['CONTAINERD_ADDRESS']
    if (address === undefined) throw new Error('CONTAINERD_ADDRESS names no containerd')
    const ctr = (...args: readonly string[]): Promise<string> =>
      lab.run(['ctr', '--address', address, '--namespace', lab.namespace, ...args])
    const [image] = (await ctr('images', 'list', '--quiet')).split('\n')
    if (image === undefined || image === '') throw new Error('containerd holds no image')
    return {
      name: 'ctr run; ctr task exec',
      run: async () => {
        await ctr('run', '--detach', image, 'bare', 'sleep', 'infinity')
        await ctr('task', 'exec', '--exec-id', 'first', 'bare', 'true')
      },
      after: async () => {
        await ctr('task', 'kill', '--signal', 'SIGKILL', 'bare')
        await ctr('task', 'delete', '--force', 'bare')
        await ctr('container', 'delete', 'bare')
      },
      dispose: nothing,
    }
  },
}

export const bareLxc: BareRuntime = {
  provider: 'lxc',
  network: 'none',
  prepare: async (lab, { rootfs }) => {
    const folder = join(lab.folder, 'bare-lxc')
    const [base, place] = [join(folder, 'base'), join(folder, 'x')]
    mkdirSync(base, { recursive: true })
    await lab.run(['tar', '--numeric-owner', '--exclude=./dev/*', '-xpf', rootfs, '-C', base])
    const fresh = (): void => {
      mkdirSync(join(place, 'delta'), { recursive: true })
      writeFileSync(join(place, 'config'), lxcConfig(base, place))
    }
    const lxc = (tool: string, ...args: readonly string[]): Promise<string> =>
      lab.run([`lxc-${tool}`, '-P', folder, '-n', 'x', ...args])
    return {
      name: 'lxc-start; lxc-attach',
      run: async () => {
        fresh()
        await lxc('start', '--daemon', '--', '/bin/sleep', 'infinity')
        await lxc('attach', '--', '/bin/true')
      },
      after: async () => {
        await lxc('stop', '--kill')
        await lab.run(['rm', '-rf', place])
      },
      dispose: () => lab.run(['rm', '-rf', folder]),
    }
  },
}

/** What lxc-create writes for every distribution (the common settings, seccomp among them), without a bridge or AppArmor. */
function lxcConfig(base: string, place: string): string {
  return [
    'lxc.include = /usr/share/lxc/config/common.conf',
    'lxc.uts.name = bare',
    `lxc.rootfs.path = overlay:${base}:${join(place, 'delta')}`,
    'lxc.net.0.type = empty',
    'lxc.mount.auto = proc:mixed sys:ro',
    'lxc.autodev = 1',
    '',
  ].join('\n')
}

/**
 * The kernel and the disk that holm made, started by a command line as one writes it: an init of a few lines mounts the disk,
 * runs the command and ends the machine.
 */
export const bareQemu: BareRuntime = {
  provider: 'qemu',
  network: 'none',
  prepare: async (lab) => {
    const folder = join(lab.folder, 'bare-qemu')
    mkdirSync(folder, { recursive: true })
    const kernel = findOne(lab.folder, '**/kernels/*/vmlinux')
    const base = findOne(lab.folder, '**/.bases/*.raw')
    const initrd = join(folder, 'initrd')
    copyFileSync(join(kernel, '..', 'initramfs'), initrd)
    const modules = JSON.parse(readFileSync(join(kernel, '..', 'modules.json'), 'utf8')) as string[]
    // Of two files with one name in an initramfs the later one counts.
    appendFileSync(initrd, createCpio('init', shortInit(modules)))
    const disk = join(folder, 'disk.qcow2')
    const machine = ['-accel', 'tcg', '-smp', '2', '-m', '512', '-nic', 'none', '-nographic', '-no-reboot']
    const boot = ['-kernel', kernel, '-initrd', initrd, '-append', 'console=ttyS0 quiet panic=-1']
    return {
      name: 'qemu-img create; qemu-system-x86_64',
      run: async () => {
        await lab.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', base, disk])
        const drive = `file=${disk},if=virtio,format=qcow2`
        const said = await lab.run(['qemu-system-x86_64', ...machine, ...boot, '-drive', drive])
        if (!said.includes('ended with 0')) throw new Error(`the machine said: ${said.slice(-300)}`)
      },
      after: () => lab.run(['rm', '-f', disk]),
      dispose: () => lab.run(['rm', '-rf', folder]),
    }
  },
}

function findOne(folder: string, pattern: string): string {
  const [found] = globSync(pattern, { cwd: folder })
  if (found === undefined) throw new Error(`holm has made no ${pattern}`)
  return join(folder, found)
}

/** PID 1 of the machine by hand; perl is what the initramfs has. The numbers are system calls of x86_64. */
function shortInit(modules: readonly string[]): string {
  return `#!/holm/perl
my ($dev, $at, $disk, $root, $type, $none) = ("devtmpfs", "/dev", "/dev/vda", "/new", "ext4", "");
mkdir $_ for "/dev", "/new";
syscall(165, $dev, $at, $dev, 0, $none);
for my $name (qw(${modules.join(' ')})) { open(my $file, '<', "/holm/modules/$name") or next; syscall(313, fileno($file), $none, 0) }
syscall(165, $disk, $root, $type, 0, $none) == 0 or print "cannot mount: $!\n";
my $pid = fork();
if ($pid == 0) { chroot("/new"); chdir("/"); exec("/bin/true") }
waitpid($pid, 0);
print "ended with $?\n";
syscall(162);
syscall(169, 0xfee1dead, 672274793, 0x1234567, 0);
`
}

/** An archive of one executable file, as the kernel reads it (newc). */
function createCpio(name: string, text: string): Buffer {
  return Buffer.concat([
    cpioEntry(name, { mode: 0o100755, text }),
    cpioEntry('TRAILER!!!', { mode: 0, text: '' }),
  ])
}

function cpioEntry(name: string, { mode, text }: { readonly mode: number; readonly text: string }): Buffer {
  const fields = [1, mode, 0, 0, 1, 0, Buffer.byteLength(text), 0, 0, 0, 0, name.length + 1, 0]
  const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`
  return Buffer.concat([padded(head), padded(text)])
}

function padded(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])
}
