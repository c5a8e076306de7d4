import { describe, expect, it } from 'vitest'
import { macFrom, machineArgv, type MachineConfig } from './argv.ts'
import { makeOf } from './warm.ts'

const config: MachineConfig = {
  architecture: 'x86_64',
  accelerator: 'kvm',
  name: 'box',
  id: 'id-1',
  cores: 2,
  memoryMiB: 512,
  kernel: '/k/vmlinux',
  initrd: 'initrd',
  disk: '/d/it\'s "a", disk.qcow2',
  shares: [{ tag: 'share0', source: '/with, comma', readonly: true, owners: 'same' }],
  card: {
    mac: '52:54:00:00:00:01',
    ports: [
      { container: 80, hostIp: '127.0.0.1', protocol: 'tcp' },
      { container: 53, host: 5353, hostIp: '0.0.0.0', protocol: 'udp' },
    ],
  },
  controlMac: '52:54:00:00:00:02',
}

const after = (argv: readonly string[], flag: string): (string | undefined)[] =>
  argv.flatMap((word, index) => (word === flag ? [argv[index + 1]] : []))

describe('the command line of a machine', () => {
  it('is one for the processor of this machine where KVM works', () => {
    const argv = machineArgv(config)
    expect(argv[0]).toBe('qemu-system-x86_64')
    expect(after(argv, '-accel')).toEqual(['kvm'])
    expect(after(argv, '-cpu')).toEqual(['host'])
    expect(after(argv, '-append')[0]).toMatch(/^console=ttyS0 .*panic=-1/)
    expect(after(argv, '-append')[0]).not.toContain('mitigations=off')
  })

  it('emulates a processor where it does not', () => {
    const argv = machineArgv({ ...config, accelerator: 'tcg' })
    expect(after(argv, '-cpu')).toEqual(['Nehalem'])
    expect(after(argv, '-append')[0]).toContain('mitigations=off')
    expect(after(argv, '-append')[0]).toContain('no_timer_check')
    expect(after(machineArgv({ ...config, cpu: 'Haswell' }), '-cpu')).toEqual(['Haswell'])
  })

  it('fits aarch64', () => {
    const argv = machineArgv({ ...config, architecture: 'aarch64', accelerator: 'tcg' })
    expect(argv[0]).toBe('qemu-system-aarch64')
    expect(after(argv, '-machine')[0]).toMatch(/^virt/)
    expect(after(argv, '-cpu')).toEqual(['cortex-a72'])
    expect(after(argv, '-append')[0]).toMatch(/^console=ttyAMA0/)
    expect(argv.join(' ')).not.toMatch(/i8042|8250|q35/)
  })

  it('publishes on the address that is asked for, and leaves free choices to QEMU', () => {
    const [net, control] = after(machineArgv(config), '-netdev')
    expect(net).toBe(
      'user,id=net,ipv6=off,hostfwd=tcp:127.0.0.1:0-10.0.2.15:80,hostfwd=udp:0.0.0.0:5353-10.0.2.15:53',
    )
    expect(control).toMatch(/^user,id=control,restrict=on,.*hostfwd=tcp:127\.0\.0\.1:0-/)
    const { card: _card, ...alone } = config
    expect(after(machineArgv(alone), '-netdev')).toEqual([control])
  })

  it('takes awkward paths', () => {
    const argv = machineArgv(config)
    expect(after(argv, '-fsdev')[0]).toContain('path=/with,, comma,security_model=none')
    expect(after(argv, '-fsdev')[0]).toMatch(/readonly=on$/)
    expect(JSON.parse(after(argv, '-blockdev')[0] ?? '')).toMatchObject({ file: { filename: config.disk } })
  })

  it('is told what it is through a channel where that is asked for', () => {
    expect(machineArgv(config).join(' ')).not.toContain('config.sock')
    const argv = machineArgv({ ...config, channel: true })
    expect(after(argv, '-chardev')).toContain('socket,id=config,path=config.sock,server=on,wait=off')
    expect(after(argv, '-device')).toContain('virtserialport,chardev=config,name=holm.config')
  })

  it('has one make whatever differs between two environments, and another for other hardware', () => {
    const make = makeOf(config, 'QEMU 7.2')
    const other: MachineConfig = {
      ...config,
      name: 'other',
      id: 'id-2',
      disk: '/other.qcow2',
      shares: [{ tag: 'share0', source: '/other', readonly: false, owners: 'mapped' }],
      card: { mac: '52:54:00:00:00:07', ports: [] },
      controlMac: '52:54:00:00:00:08',
    }
    expect(makeOf(other, 'QEMU 7.2')).toBe(make)
    const { card: _card, ...cut } = config
    const different = [
      makeOf(config, 'QEMU 7.3'),
      makeOf(cut, 'QEMU 7.2'),
      makeOf({ ...config, memoryMiB: 513 }, 'QEMU 7.2'),
      makeOf({ ...config, cores: 1 }, 'QEMU 7.2'),
      makeOf({ ...config, shares: [] }, 'QEMU 7.2'),
      makeOf({ ...config, kernel: '/other' }, 'QEMU 7.2'),
    ]
    expect(new Set([make, ...different]).size).toBe(different.length + 1)
  })

  it('gives a card an address for local use', () => {
    expect(macFrom(Uint8Array.of(1, 0xab, 255, 7))).toBe('52:54:00:01:ab:ff')
  })
})
