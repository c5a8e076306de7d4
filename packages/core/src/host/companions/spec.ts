import { createHash } from 'node:crypto'
import type { Mount, ServiceContainer, ServiceSpec, EnvironmentSpec } from '../../spec.ts'
import { hashSpec, slugify } from '../blueprint/index.ts'
import { labelsOf } from '../environment/labels.ts'

const longestName = 40

/** `<environment>-<service>`, with six characters of a hash where that is too long or no name as it is. */
export function companionName(environment: string, service: string): string {
  const slug = slugify(service)
  const plain = `${environment}-${slug}`
  if (slug === service && plain.length <= longestName) return plain
  const suffix = createHash('sha256').update(`${environment}\0${service}`).digest('hex').slice(0, 6)
  return `${plain.slice(0, longestName - suffix.length - 1).replace(/-+$/, '')}-${suffix}`
}

export interface CompanionRequest {
  readonly namespace: string
  /** What the environment that it belongs to was made of. */
  readonly owner: EnvironmentSpec
  readonly service: ServiceSpec
  readonly container: ServiceContainer
}

/** The environment that a service from an image is, with its labels. Pure. */
export function companionSpec(request: CompanionRequest): { spec: EnvironmentSpec; hash: string } {
  const bare = bareSpec(request)
  const hash = hashSpec(bare)
  return { hash, spec: { ...bare, labels: labelsOf({ namespace: request.namespace, spec: bare, hash }) } }
}

const noStages = {
  initialize: [],
  onCreate: [],
  updateContent: [],
  postCreate: [],
  postStart: [],
  postAttach: [],
  waitFor: 'postStart',
} as const

function bareSpec({ owner, service, container }: CompanionRequest): EnvironmentSpec {
  const { user, workdir, entrypoint, args, security } = container
  const name = companionName(owner.name, service.name)
  return {
    name,
    origin: { ...owner.origin, source: `service:${owner.name}/${service.name}`, project: '' },
    base: container.base,
    hostname: container.hostname ?? slugify(service.name),
    ...(user !== undefined && { user }),
    matchUserId: false,
    main: 'base',
    init: container.init ?? false,
    env: service.env,
    exec: { ...(workdir !== undefined && { workdir }), env: {}, probe: 'none' },
    mounts: container.mounts.map((mount) => ownVolume(owner.name, mount)),
    ports: service.ports,
    expose: [],
    network: owner.network,
    aliases: [...new Set([service.name, ...(container.aliases ?? [])])],
    companion: {
      of: owner.name,
      service: service.name,
      ...(entrypoint && { entrypoint }),
      ...(args && { args }),
      restart: service.restart,
    },
    resources: container.resources ?? {},
    security: { privileged: false, capAdd: [], capDrop: [], securityOpt: [], devices: [], ...security },
    provision: { packages: [], tools: {}, setup: [], postInstall: [] },
    lifecycle: noStages,
    services: [],
    secrets: {},
    shutdown: 'stop',
    options: {},
    labels: {},
  }
}

/** Two environments with one blueprint must not write into one database. */
function ownVolume(environment: string, mount: Mount): Mount {
  if (mount.type !== 'volume' || mount.source === undefined) return mount
  return { ...mount, source: `${environment}-${mount.source}` }
}
