import type { Mount } from '@holm/core'
import {
  formatRecord,
  type DiskImage,
  type ImageSource,
  type LimaRecord,
  type RecordedPort,
} from './record.ts'
import { formatYaml, type YamlValue } from './yaml.ts'

/** What this Lima must be at least for the file to mean what it says. */
export const minimumVersion = '1.0.0'

/**
 * The instance's `lima.yaml`. Pure. Everything Lima would do unasked is switched off: mounts, containerd, the user's own
 * SSH keys and agent, proxies, and the forwarding of every port that opens inside.
 */
export function formatConfig(record: LimaRecord): string {
  const { resources, image } = record
  const config = {
    minimumLimaVersion: minimumVersion,
    vmType: record.vmType,
    ...formatImages(image),
    cpus: resources.cpus === undefined ? undefined : Math.max(1, Math.ceil(resources.cpus)),
    memory: resources.memoryBytes === undefined ? undefined : formatSize(resources.memoryBytes),
    disk: resources.diskBytes === undefined ? undefined : formatSize(resources.diskBytes),
    mountType: record.mountType,
    mounts: record.mounts.flatMap(formatMount),
    containerd: { system: false, user: false },
    ssh: { loadDotSSHPubKeys: false, forwardAgent: false },
    propagateProxyEnv: false,
    portForwards: [...record.ports.map(formatPort), ignoreOthers],
  }
  return `${formatRecord(record)}${formatYaml(config)}`
}

/** The first rule that matches wins; without this one Lima forwards whatever listens inside. */
const ignoreOthers = {
  guestIP: '0.0.0.0',
  guestIPMustBeZero: false,
  guestPortRange: [1, 65_535],
  proto: 'any',
  ignore: true,
} as const

/** `0.0.0.0` without `guestIPMustBeZero`: whatever address the program inside listens on. */
function formatPort({ container, host, hostIp, protocol }: RecordedPort): YamlValue {
  return {
    guestIP: '0.0.0.0',
    guestIPMustBeZero: false,
    guestPort: container,
    hostIP: hostIp,
    hostPort: host,
    proto: protocol,
  }
}

function formatMount(mount: Mount): YamlValue[] {
  if (mount.type !== 'bind') return []
  return [
    {
      location: escapeTemplate(mount.source),
      mountPoint: escapeTemplate(mount.target),
      writable: !mount.readonly,
    },
  ]
}

function formatImages(image: ImageSource): { readonly [key: string]: YamlValue } {
  if (!('template' in image)) return { images: [formatImage(image)] }
  // Written with two slashes, which every version takes.
  if (image.resolved === undefined) return { base: `template://_images/${image.template}` }
  const { images, mountTypesUnsupported } = image.resolved
  return {
    images: images.map(formatImage),
    ...(mountTypesUnsupported.length > 0 && { mountTypesUnsupported }),
  }
}

function formatImage({ location, arch, digest }: DiskImage): YamlValue {
  return { location: escapeTemplate(location), arch, digest }
}

/** Lima reads paths as Go templates. */
function escapeTemplate(text: string): string {
  return text.replaceAll('{{', '{{"{{"}}')
}

const units = [
  ['GiB', 1024 ** 3],
  ['MiB', 1024 ** 2],
  ['KiB', 1024],
] as const

function formatSize(bytes: number): string {
  const unit = units.find(([, size]) => bytes % size === 0)
  return unit === undefined ? String(bytes) : `${bytes / unit[1]}${unit[0]}`
}
