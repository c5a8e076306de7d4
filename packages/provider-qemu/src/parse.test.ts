import { fileURLToPath } from 'node:url'
import { createSpec } from '@holm/testkit'
import { describe, expect, it } from 'vitest'
import { createProbeRom, excludeKvm } from './accelerator.ts'
import { createFrameReader, encodeFrame, encodeRequest, refusal } from './agent.ts'
import { gaveUp, isReady, isWaiting, lastLines, parseCause } from './console.ts'
import { createCpio, cpioKinds, foldersAbove } from './cpio.ts'
import { parseExit } from './exec.ts'
import { encodeGuestConfig } from './guest-config.ts'
import { parseDepends } from './kernel-package.ts'
import { moduleName, orderModules, parseBzImage, parseModuleNeeds } from './kernel-image.ts'
import { parseLdd } from './kernel.ts'
import { planLimits } from './limits.ts'
import { findTail } from './logs.ts'
import { parseSample } from './metrics.ts'
import { optionsSchema } from './options.ts'
import { parseUsernet } from './qmp.ts'
import { assertSupported } from './requirements.ts'
import { ownerCommands, parseRights, parseTarList } from './tar-list.ts'
import { parseVersion } from './version.ts'

describe('what QEMU says', () => {
  it('has a version', () => {
    expect(parseVersion('QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\n')).toBe('QEMU 7.2.22')
    expect(parseVersion('')).toBe('QEMU')
  })

  it('tells published ports by network', () => {
    const text = `Hub -1 (net):\r
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r
  TCP[HOST_FORWARD]  18       127.0.0.1 40123       10.0.2.15  8080     0     0\r
  UDP[HOST_FORWARD]  19               * 5353        10.0.2.15    53     0     0\r
control:
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
  TCP[ESTABLISHED]   30       127.0.0.1 41000       10.0.2.15     1     0     0
  TCP[HOST_FORWARD]  17       127.0.0.1 33777       10.0.2.15     1     0     0
`
    expect(parseUsernet(text)).toEqual([
      { network: 'net', protocol: 'tcp', hostIp: '127.0.0.1', host: 40_123, container: 8080 },
      { network: 'net', protocol: 'udp', hostIp: '0.0.0.0', host: 5353, container: 53 },
      { network: 'control', protocol: 'tcp', hostIp: '127.0.0.1', host: 33_777, container: 1 },
    ])
  })
})

describe('the console', () => {
  it('says that the machine is ready', () => {
    expect(isReady('[ 1.0] something\r\nholm: ready\r\n')).toBe(true)
    expect(isReady('holm: readying')).toBe(false)
    expect(isWaiting('holm: waiting\r\n')).toBe(true)
    expect(gaveUp('holm: waiting\nholm: kernel module x: gone\nholm: ready\n')).toBe(false)
    expect(gaveUp('holm: no root\n')).toBe(true)
    expect(parseCause('holm: no root\nholm: waiting\nholm: ready\n')).toBe('no root')
  })

  it('says why the machine ended', () => {
    expect(parseCause('holm: ready\n')).toBeUndefined()
    expect(parseCause('holm: no root: /dev/vda does not appear; disks: \n')).toBe(
      'no root: /dev/vda does not appear; disks:',
    )
    expect(parseCause('[    1.8] Kernel panic - not syncing: No working init found.\n')).toBe(
      'the kernel gave up: Kernel panic - not syncing: No working init found.',
    )
    expect(lastLines('\u001b[2Jone\n\n\u0007two\n', 2)).toBe('one; two')
  })
})

describe('KVM', () => {
  it('is left alone where it cannot work', () => {
    const machine = { architecture: 'x86_64', device: true, processor: 'flags : fpu vmx sse' } as const
    expect(excludeKvm(machine)).toBeUndefined()
    expect(excludeKvm({ ...machine, processor: 'flags : fpu vmxx' })).toMatch(/vmx/)
    expect(excludeKvm({ ...machine, device: false })).toMatch(/kvm/)
    expect(excludeKvm({ ...machine, architecture: 'aarch64', processor: '' })).toBeUndefined()
  })

  it('is tried with a program that begins where processors do', () => {
    const rom = createProbeRom()
    expect(rom.length).toBe(65_536)
    expect(rom.toString('hex', 0xfff0, 0xfff3)).toBe('e90dff')
    // The jump counts from its end, in 16 bits.
    expect((0xfff3 + rom.readInt16LE(0xfff1)) & 0xffff).toBe(0xff00)
  })
})

describe('the initramfs', () => {
  it('is an archive of the kernel', () => {
    const archive = createCpio([{ path: 'init', mode: cpioKinds.file | 0o755, data: Buffer.from('hello') }])
    expect(archive.toString('latin1', 0, 6)).toBe('070701')
    expect(archive.length % 512).toBe(0)
    expect(Number.parseInt(archive.toString('latin1', 14, 22), 16)).toBe(0o100755)
    expect(archive.toString('latin1', 110, 115)).toBe('init\0')
    expect(archive.toString('latin1', 116, 121)).toBe('hello')
    expect(archive.includes('TRAILER!!!')).toBe(true)
    expect(foldersAbove('a/b/c')).toEqual(['a', 'a/b'])
  })

  it('has the libraries that perl is linked with', () => {
    const text =
      '\tlinux-vdso.so.1 (0x7f)\n\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x7f)\n\t/lib64/ld-linux-x86-64.so.2 (0x7f)\n'
    expect(parseLdd(text)).toEqual(['/lib/x86_64-linux-gnu/libm.so.6', '/lib64/ld-linux-x86-64.so.2'])
  })

  it('loads modules after what they need', () => {
    const module = Buffer.from('\u007fELF\0license=GPL\0depends=jbd2,mb-cache\0softdep=pre: crc32c\0')
    expect(parseModuleNeeds(module)).toEqual(['jbd2', 'mb_cache', 'crc32c'])
    expect(moduleName('virtio-blk.ko.xz')).toBe('virtio_blk')
    const needs: Record<string, string[]> = { a: ['b', 'c'], b: ['c'], c: ['builtin'] }
    expect(orderModules(['a', 'none'], (name) => needs[name])).toEqual(['c', 'b', 'a'])
    expect(() => orderModules(['x'], () => ['x'])).toThrow('need each other')
  })

  it('tells a packed kernel', () => {
    expect(parseBzImage(Buffer.from('\u007fELF'))).toBeUndefined()
    const image = Buffer.alloc(4096)
    image.write('HdrS', 0x202)
    image.writeUInt16LE(0x20f, 0x206)
    image[0x1f1] = 1
    image.writeUInt32LE(16, 0x248)
    image.writeUInt32LE(8, 0x24c)
    Buffer.from('fd377a585a000000', 'hex').copy(image, 1024 + 16)
    expect(parseBzImage(image)).toMatchObject({ packing: 'xz' })
  })

  it('says what a machine is to be', () => {
    const text = encodeGuestConfig({
      architecture: 'x86_64',
      token: 'ab',
      hostname: 'a b',
      root: '/dev/vda',
      filesystems: ['ext4', 'xfs'],
      main: 'hold',
      controlMac: 'm',
      address: 'a',
      gateway: 'g',
      dns: 'd',
      modules: ['ext4'],
      mounts: [{ kind: '9p', source: 'share0', target: '/w s', readonly: true, options: '' }],
      cpus: 0.5,
      randomness: Uint8Array.of(1, 2),
      seed: { '/s': 'x' },
    })
    expect(text).toContain('hostname 612062\n')
    expect(text).toContain(`cpu ${Buffer.from('50000 100000').toString('hex')}\n`)
    expect(text).toContain('mount 9p 736861726530 2f772073 31 \n')
    expect(text).toContain('seed 0102\nseed_file 2f73 78\n')
    // Without a network there is nobody to ask for names.
    expect(text).not.toContain('dns')
  })

  it('knows the package of a kernel', () => {
    const text = 'linux-image-amd64\n  Depends: linux-image-6.1.0-56-amd64\n  Breaks: x\n'
    expect(parseDepends(text)).toBe('linux-image-6.1.0-56-amd64')
  })
})

describe('the agent', () => {
  it('is asked in words that need no quotes', () => {
    const reader = createFrameReader()
    reader.push(encodeRequest('exec', 't', { arg: ['a b', '\n'], cwd: undefined, rows: 24 }))
    expect(reader.next()?.data.toString()).toBe(
      ['token 74', 'op 65786563', 'arg 612062', 'arg 0a', 'rows 3234'].join('\n'),
    )
  })

  it('answers in frames, whole or in pieces', () => {
    const reader = createFrameReader()
    const bytes = Buffer.concat([encodeFrame('1', 'one'), encodeFrame('X', '3 0')])
    for (const byte of bytes.subarray(0, 9)) reader.push(Buffer.of(byte))
    expect(reader.next()).toMatchObject({ type: '1', data: Buffer.from('one') })
    expect(reader.next()).toBeUndefined()
    reader.push(bytes.subarray(9))
    expect(reader.next()).toMatchObject({ type: 'X', data: Buffer.from('3 0') })
    expect(parseExit(Buffer.from('3 0'))).toEqual({ code: 3 })
    expect(parseExit(Buffer.from('128 9'))).toEqual({ code: 137, signal: 'SIGKILL' })
  })

  it('refuses with a reason', () => {
    expect(refusal({ type: 'F', data: Buffer.from('USAGE folder /x does not exist') })).toMatchObject({
      code: 'HOLM_USAGE',
      message: 'folder /x does not exist',
    })
    expect(refusal({ type: 'F', data: Buffer.from('refused') })).toMatchObject({
      code: 'HOLM_ENVIRONMENT_FAILED',
    })
  })

  it('measures', () => {
    const stat = (idle: number, user: number): string =>
      `cpu  ${user} 0 0 ${idle} 0 0 0 0 0 0\ncpu0 1\ncpu1 1\n`
    const memory = 'MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 400 kB\n'
    expect(parseSample(Buffer.from([stat(0, 0), stat(15, 15), memory, '7'].join('\0')))).toEqual({
      cpuPercent: 100,
      memoryBytes: 600 * 1024,
      memoryLimitBytes: 1000 * 1024,
      processes: 7,
    })
  })
})

describe('limits', () => {
  const mebibyte = 1024 * 1024

  it('are properties of the machine where they can be', () => {
    const plan = planLimits({ cpus: 2, memoryBytes: 512 * mebibyte, diskBytes: 1024 })
    expect(plan).toMatchObject({ cores: 2, memoryMiB: 512 })
    expect(plan.applied.map(({ name, enforcedBy }) => `${name}: ${enforcedBy}`)).toEqual([
      'cpus: processors of the machine',
      'memory: memory of the machine',
      'disk: size of the disk',
    ])
  })

  it('are those of a control group inside otherwise', () => {
    const plan = planLimits({ cpus: 1.5, memoryBytes: 64 * mebibyte, pids: 40 })
    expect(plan).toMatchObject({ cores: 2, cpus: 1.5, memoryBytes: 64 * mebibyte, pids: 40 })
    expect(plan.memoryMiB).toBeGreaterThan(64)
    expect(new Set(plan.applied.map(({ enforcedBy }) => enforcedBy))).toEqual(
      new Set(['cgroup v2 in the machine']),
    )
  })

  it('are none by themselves', () => {
    expect(planLimits({}, 'kvm', 16)).toMatchObject({ cores: 4, applied: [] })
    expect(planLimits({}, 'tcg', 2).cores).toBe(1)
  })
})

describe('owners of an archive', () => {
  const list = `drwxr-xr-x 0/0               0 2026-01-01 00:00 ./
-rwsr-sr-t 0/42          1234 2026-01-01 00:00 ./usr/bin/a\\040b
lrwxrwxrwx 0/0               0 2026-01-01 00:00 ./bin -> usr/bin
hrw-r--r-- 5/6               0 2026-01-01 00:00 ./twin link to ./usr/bin/x
crw-rw-rw- 0/0             1,3 2026-01-01 00:00 ./dev/null
-rw-r----- 1000/1000         1 2026-01-01 00:00 ./\\303\\274
`

  it('are read from its list', () => {
    expect(parseTarList(list)).toEqual([
      { kind: 'd', mode: 0o755, uid: 0, gid: 0, path: '' },
      { kind: '-', mode: 0o7755, uid: 0, gid: 42, path: 'usr/bin/a b' },
      { kind: 'l', mode: 0o777, uid: 0, gid: 0, path: 'bin' },
      { kind: 'h', mode: 0o644, uid: 5, gid: 6, path: 'twin' },
      { kind: 'c', mode: 0o666, uid: 0, gid: 0, path: 'dev/null' },
      { kind: '-', mode: 0o640, uid: 1000, gid: 1000, path: 'ü' },
    ])
    expect(parseRights('rwSr-Sr-T')).toBe(0o7644)
  })

  it('become commands', () => {
    const commands = ownerCommands(parseTarList(list))
    expect(commands).toContain('sif "/usr/bin/a b" mode 0107755\n')
    expect(commands).toContain('sif "/bin" uid 0\n')
    expect(commands).not.toContain('sif "/bin" mode')
    expect(commands).not.toContain('/dev/null')
    expect(commands).not.toContain('/twin')
  })
})

it('the tail of a log begins at a line', () => {
  const content = Buffer.from('one\ntwo\nthree\n')
  expect([0, 1, 2, 9].map((lines) => findTail(content, lines))).toEqual([14, 8, 4, 0])
})

it('a mount of a single file is refused before anything is made, with the way around it', async () => {
  const source = fileURLToPath(import.meta.url)
  const base = { kind: 'folder', name: 'any', path: '/' } as const
  const mounts = [{ type: 'bind', source, target: '/etc/app.conf', readonly: true }] as const
  await expect(assertSupported(createSpec({ base, mounts }))).rejects.toMatchObject({
    code: 'HOLM_BLUEPRINT_UNSUPPORTED',
    message: expect.stringContaining(`mount ${source}: it is no folder`) as string,
    hint: 'Mount the folder that it is in.',
  })
})

it('options are checked by name and value', async () => {
  const validate = async (value: unknown): Promise<unknown> => optionsSchema['~standard'].validate(value)
  expect(
    await validate({
      kernel: '/k',
      cpu: 'Haswell-v4',
      accelerator: 'tcg',
      arch: 'aarch64',
      userData: '#!/bin/sh',
    }),
  ).toMatchObject({
    value: { kernel: '/k', arch: 'aarch64' },
  })
  expect(await validate({ kernel: 'relative', gpu: 1, arch: 'arm', userData: 'users: []' })).toMatchObject({
    issues: [{ path: ['kernel'] }, { path: ['gpu'] }, { path: ['arch'] }, { path: ['userData'] }],
  })
  expect(await validate([])).toMatchObject({ issues: [{}] })
})
