import { createSpec } from '@holm/testkit'
import { describe, expect, it } from 'vitest'
import { containerConfig, defaultPids, holdCommand } from './container-config.ts'
import type { ConfigInput } from './container-config.ts'
import { label } from './names.ts'

function configOf(spec: Parameters<typeof createSpec>[0] = {}, input: Partial<ConfigInput> = {}) {
  return containerConfig({
    namespace: 'holm',
    image: 'debian:12',
    attempt: 'a1',
    spec: createSpec({ name: 'web', ...spec }),
    ...input,
  })
}

describe('containerConfig', () => {
  it('is safe by default', () => {
    const host = configOf().HostConfig
    expect(host?.SecurityOpt).toEqual(['no-new-privileges'])
    expect(host?.CapDrop).toEqual(['ALL'])
    expect(host?.CapAdd).not.toContain('NET_RAW')
    expect(host?.Privileged).toBe(false)
    expect(host?.PidsLimit).toBe(defaultPids)
    expect(host?.Mounts).toEqual([])
  })

  it('gives an engine inside its rights, and refuses it the processes of the machine', () => {
    expect(configOf({ nestedDocker: true }).HostConfig).toMatchObject({
      Privileged: true,
      CgroupnsMode: 'private',
    })
    expect(() => configOf({ nestedDocker: true, options: { docker: { pid: 'host' } } })).toThrowError(
      expect.objectContaining({ code: 'HOLM_BLUEPRINT_INVALID' }),
    )
  })

  it('applies limits in the engine’s units, swap not on top of memory', () => {
    const host = configOf({ resources: { cpus: 1.5, memoryBytes: 512, diskBytes: 1024, pids: 7 } }).HostConfig
    expect(host).toMatchObject({
      NanoCpus: 1_500_000_000,
      Memory: 512,
      MemorySwap: 512,
      StorageOpt: { size: '1024' },
      PidsLimit: 7,
    })
  })

  it('publishes on the address asked for, several ports of one container port too', () => {
    const port = { container: 80, hostIp: '127.0.0.1', protocol: 'tcp' as const }
    const config = configOf({ ports: [port, { ...port, host: 8080 }], expose: [9000] })
    expect(config.HostConfig?.PortBindings).toEqual({
      '80/tcp': [
        { HostIp: '127.0.0.1', HostPort: '' },
        { HostIp: '127.0.0.1', HostPort: '8080' },
      ],
    })
    expect(Object.keys(config.ExposedPorts ?? {})).toEqual(['80/tcp', '9000/tcp'])
  })

  it('holds with a command of its own, or leaves the base its own', () => {
    expect(configOf().Entrypoint).toEqual(holdCommand)
    expect(configOf({ main: 'base' })).not.toHaveProperty('Entrypoint')
    expect(configOf({ main: 'base' })).not.toHaveProperty('Cmd')
  })

  it('runs a companion as it was asked to, found by its names', () => {
    const companion = { of: 'shop', service: 'db', restart: 'always' } as const
    const spec = { main: 'base', network: 'shop-services', aliases: ['db', 'store'], companion } as const
    const config = configOf(spec, { network: 'holm-shop-services' })
    expect(config).not.toHaveProperty('Entrypoint')
    expect(config).not.toHaveProperty('Cmd')
    expect(config.HostConfig?.RestartPolicy).toEqual({ Name: 'unless-stopped' })
    expect(config.NetworkingConfig?.EndpointsConfig).toEqual({
      'holm-shop-services': { Aliases: ['db', 'store'] },
    })
    expect(config.Labels?.[label.owner]).toBe('shop')
    const given = configOf({ ...spec, companion: { ...companion, entrypoint: [], args: ['serve', ''] } })
    expect(given).toMatchObject({ Entrypoint: [''], Cmd: ['serve', ''] })
    // The default network knows no names, and the engine refuses them.
    expect(configOf(spec)).not.toHaveProperty('NetworkingConfig')
    expect(configOf().HostConfig?.RestartPolicy).toEqual({ Name: 'no' })
  })

  it('names volumes by namespace and keeps anonymous ones anonymous', () => {
    const mounts = configOf({
      mounts: [
        { type: 'volume', source: 'data', target: '/data', readonly: false },
        { type: 'volume', target: '/tmp/x', readonly: true },
        { type: 'bind', source: '/a b', target: '/b', readonly: true },
        { type: 'tmpfs', target: '/t', sizeBytes: 99 },
      ],
    }).HostConfig
    expect(mounts?.Mounts?.map(({ Type, Source, ReadOnly }) => [Type, Source, ReadOnly])).toEqual([
      ['volume', 'holm-data', false],
      ['volume', '', true],
      ['bind', '/a b', true],
    ])
    expect(mounts?.Tmpfs).toEqual({ '/t': 'rw,exec,nosuid,nodev,size=99' })
  })

  it('has no hostname and no published port on the host’s network', () => {
    const config = configOf({
      network: 'host',
      ports: [{ container: 80, hostIp: '127.0.0.1', protocol: 'tcp' }],
    })
    expect(config).not.toHaveProperty('Hostname')
    expect(config.HostConfig).not.toHaveProperty('PortBindings')
    expect(config.HostConfig?.NetworkMode).toBe('host')
  })

  it('runs its own main process as root, and keeps who programs run as', () => {
    expect(configOf({ user: 'dev' })).toMatchObject({ User: '0', Labels: { [label.user]: 'dev' } })
    expect(configOf({}, { imageUser: 'node' })).toMatchObject({ User: '0', Labels: { [label.user]: 'node' } })
    expect(configOf({ user: 'dev', main: 'base' })).toMatchObject({
      User: 'dev',
      Labels: { [label.user]: '' },
    })
  })

  it('keeps the spec’s labels apart from its own', () => {
    const labels = configOf({ labels: { 'dev.holm.hash': 'x', team: 'a' } }).Labels ?? {}
    expect(labels).toMatchObject({
      'dev.holm.hash': 'x',
      team: 'a',
      [label.namespace]: 'holm',
      [label.name]: 'web',
    })
    expect(JSON.parse(labels[label.keys] ?? '')).toEqual(['dev.holm.hash', 'team'])
  })

  it('notes whose ids the user shall get', () => {
    const config = configOf(
      { exec: { env: {}, probe: 'none', user: 'dev' } },
      { callerIds: { uid: 1000, gid: 100 } },
    )
    expect(config.Labels).toMatchObject({ [label.matchIds]: '1000:100', [label.matchUser]: 'dev' })
    expect(configOf().Labels).toMatchObject({ [label.matchIds]: '', [label.matchUser]: '' })
  })

  it('translates the docker section', () => {
    const docker = {
      shmSize: 64,
      ulimits: { nofile: 5, core: { soft: 0, hard: 1 } },
      extraHosts: { db: 'host-gateway' },
      gpus: 'all',
      readOnlyRoot: true,
      platform: 'linux/arm64',
    }
    const config = configOf({ options: { docker } })
    expect(config.platform).toBe('linux/arm64')
    expect(config.HostConfig).toMatchObject({
      ShmSize: 64,
      Ulimits: [
        { Name: 'nofile', Soft: 5, Hard: 5 },
        { Name: 'core', Soft: 0, Hard: 1 },
      ],
      ExtraHosts: ['db:host-gateway'],
      DeviceRequests: [{ Count: -1, Capabilities: [['gpu']] }],
      ReadonlyRootfs: true,
    })
  })

  it('refuses unknown and wrong keys of the docker section by name', () => {
    expect(() => configOf({ options: { docker: { shmsize: 1 } } })).toThrow(
      /providers\.docker\.shmsize: unknown key.*shmSize/,
    )
    expect(() => configOf({ options: { docker: { gpus: -1 } } })).toThrow(
      /providers\.docker\.gpus: must be a count/,
    )
  })
})
