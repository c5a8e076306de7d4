import { describe, expect, it } from 'vitest'
import { formatConfig } from './config.ts'
import { parseRecord, type LimaRecord } from './record.ts'

const record: LimaRecord = {
  version: 1,
  namespace: 'holm',
  name: 'web',
  createdAt: '2026-01-02T03:04:05.000Z',
  labels: { 'holm.text': 'ünïcode ✓, "quotes"\nand lines' },
  hostname: 'web',
  env: {},
  resources: {},
  mounts: [],
  ports: [],
  image: { location: 'https://images.test/debian.qcow2', digest: `sha256:${'a'.repeat(64)}` },
  vmType: 'qemu',
  snapshots: {},
}

/** Without the record, which is one long line. */
const shown = (overrides: Partial<LimaRecord>): string =>
  formatConfig({ ...record, ...overrides }).replace(/^# holm-record: .*\n/, '')

describe('the configuration of an instance', () => {
  it('switches off what Lima would do unasked', () => {
    expect(shown({})).toMatchInlineSnapshot(`
      "minimumLimaVersion: "1.0.0"
      vmType: "qemu"
      images:
      - location: "https://images.test/debian.qcow2"
        digest: "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      mounts: []
      containerd:
        system: false
        user: false
      ssh:
        loadDotSSHPubKeys: false
        forwardAgent: false
      propagateProxyEnv: false
      portForwards:
      - guestIP: "0.0.0.0"
        guestIPMustBeZero: false
        guestPortRange: [1, 65535]
        proto: "any"
        ignore: true
      "
    `)
  })

  it('has limits, mounts and ports as asked for, and no others', () => {
    const text = shown({
      vmType: 'vz',
      mountType: 'virtiofs',
      resources: { cpus: 1.5, memoryBytes: 2 * 1024 ** 3, diskBytes: 20 * 1024 ** 3 + 1 },
      mounts: [
        { type: 'bind', source: `/home/it's "mine"/{{.Dir}} ✓`, target: '/workspace', readonly: false },
        { type: 'bind', source: '/data', target: '/data', readonly: true },
        { type: 'tmpfs', target: '/scratch' },
      ],
      ports: [{ container: 80, host: 8080, hostIp: '127.0.0.1', protocol: 'tcp', picked: false }],
    })
    expect(text).toMatchInlineSnapshot(`
      "minimumLimaVersion: "1.0.0"
      vmType: "vz"
      images:
      - location: "https://images.test/debian.qcow2"
        digest: "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      cpus: 2
      memory: "2GiB"
      disk: "21474836481"
      mountType: "virtiofs"
      mounts:
      - location: "/home/it's \\"mine\\"/{{\\"{{\\"}}.Dir}} \\u2713"
        mountPoint: "/workspace"
        writable: true
      - location: "/data"
        mountPoint: "/data"
        writable: false
      containerd:
        system: false
        user: false
      ssh:
        loadDotSSHPubKeys: false
        forwardAgent: false
      propagateProxyEnv: false
      portForwards:
      - guestIP: "0.0.0.0"
        guestIPMustBeZero: false
        guestPort: 80
        hostIP: "127.0.0.1"
        hostPort: 8080
        proto: "tcp"
      - guestIP: "0.0.0.0"
        guestIPMustBeZero: false
        guestPortRange: [1, 65535]
        proto: "any"
        ignore: true
      "
    `)
  })

  it('carries the record, whatever is in it', () => {
    expect(parseRecord(formatConfig(record))).toEqual(record)
  })

  it('has no record when it is somebody else’s, or damaged', () => {
    expect(parseRecord('images: []\n')).toBeUndefined()
    expect(parseRecord('# holm-record: e30=\n')).toBeUndefined()
    expect(parseRecord('# holm-record: %%%\n')).toBeUndefined()
  })
})
