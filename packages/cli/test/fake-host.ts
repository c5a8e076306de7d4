import type { EnvironmentInfo, HostApi, UpResult } from '@holm/core'

export type FakeHostParts = {
  readonly [Key in keyof HostApi]?: HostApi[Key] extends (...args: never[]) => unknown
    ? HostApi[Key]
    : Partial<HostApi[Key]>
}

/** A host made of the parts that a test gives; any other part fails by name when it is used. */
export function createFakeHost(parts: FakeHostParts): HostApi {
  return refuseOthers('host', {
    close: () => Promise.resolve(),
    ...parts,
    commands: refuseOthers('host.commands', { list: () => Promise.resolve([]), ...parts.commands }),
  }) as HostApi
}

function refuseOthers(path: string, parts: object): object {
  return new Proxy(parts, {
    get(target, key) {
      // A promise that resolves with the host looks for `then`.
      if (key in target || typeof key === 'symbol' || key === 'then')
        return Reflect.get(target, key) as unknown
      throw new Error(`the fake has no ${path}.${key}`)
    },
  })
}

export const environment: EnvironmentInfo = {
  name: 'web',
  provider: 'docker',
  status: 'running',
  blueprint: 'web',
  source: '/project/holm.yaml',
  project: '/project',
  createdAt: '2026-01-01T00:00:00.000Z',
  startedAt: '2026-01-01T00:00:01.000Z',
  reason: undefined,
  ports: [{ container: 80, host: 8080, hostIp: '127.0.0.1', protocol: 'tcp' }],
  address: '172.17.0.2',
  limits: [{ name: 'memory', value: 2 ** 30, enforcedBy: 'cgroup v2 memory' }],
  user: 'dev',
  workdir: '/workspace',
  mounts: [],
  services: [],
  looser: ['capability NET_ADMIN is added'],
}

export const upResult: UpResult = {
  environment,
  outcome: 'created',
  changed: [],
  selection: {
    provider: 'docker',
    reason: 'docker: best usable provider that takes image bases',
    considered: [
      { id: 'docker', fits: true, reasons: [] },
      { id: 'lxc', fits: false, reasons: ['lxc is not installed'] },
    ],
  },
  steps: [
    { step: 'pull', elapsedMs: 2100 },
    { step: 'provision', elapsedMs: 0, skipped: 'golden image' },
    { step: 'start', elapsedMs: 300 },
  ],
  warnings: [],
}
