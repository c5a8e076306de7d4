import type { EnvironmentSpec } from '@holm/core'

/** A complete, valid spec: nothing asked for, nothing provisioned. */
export function createSpec(overrides: Partial<EnvironmentSpec> = {}): EnvironmentSpec {
  const name = overrides.name ?? 'test'
  return {
    name,
    origin: { blueprint: name, source: `builtin:${name}`, format: 'holm', project: '/nowhere' },
    base: { kind: 'host' },
    hostname: name,
    matchUserId: false,
    main: 'hold',
    init: true,
    env: {},
    exec: { env: {}, probe: 'none' },
    mounts: [],
    ports: [],
    expose: [],
    network: 'default',
    resources: {},
    security: { privileged: false, capAdd: [], capDrop: [], securityOpt: [], devices: [] },
    provision: { packages: [], tools: {}, setup: [], postInstall: [] },
    lifecycle: {
      initialize: [],
      onCreate: [],
      updateContent: [],
      postCreate: [],
      postStart: [],
      postAttach: [],
      waitFor: 'postCreate',
    },
    services: [],
    secrets: {},
    shutdown: 'stop',
    options: {},
    labels: { 'holm.environment': name },
    ...overrides,
  }
}
