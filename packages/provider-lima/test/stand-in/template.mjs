// What Lima accepts as configuration: pkg/limatype/lima_yaml.go, pkg/limayaml/validate.go.
import { existsSync, readFileSync, statSync } from 'node:fs'
import { parseConfig, parseSize } from './parse.mjs'

/** Puts what `base` names in its place, as Lima does when it makes an instance. Templates lie below this variable's folder. */
export function loadTemplate(text) {
  const { base } = parseConfig(text)
  if (base === undefined) return text
  const name = /^template:(?:\/\/)?(.*)$/.exec(String(base))?.[1]
  const file = `${process.env.HOLM_STAND_IN_TEMPLATES}/${name}.yaml`
  if (name === undefined || !existsSync(file)) return text
  // Its comments move with its keys: only what stands at the head of a file is lost in this merge.
  const own = text.split('\n').filter((line) => !line.startsWith('base:') && !line.startsWith('#'))
  return `${readFileSync(file, 'utf8')}\n${own.join('\n')}`
}

const text = (value) => typeof value === 'string'
const flag = (value) => typeof value === 'boolean'
const whole = (value) => Number.isInteger(value)
const port = (value) => Number.isInteger(value) && value > 0 && value < 65_536
const list = (check) => (value) => Array.isArray(value) && value.every(check)
const shape = (fields) => (value) =>
  typeof value === 'object' &&
  value !== null &&
  Object.entries(value).every(([key, item]) => fields[key]?.(item) ?? false)

const mount = shape({
  location: text,
  mountPoint: text,
  writable: flag,
  sshfs: shape({ cache: flag, followSymlinks: flag, sftpDriver: text }),
  '9p': shape({ securityModel: text, protocolVersion: text, msize: text, cache: text }),
  virtiofs: shape({ queueSize: whole }),
})
const forward = shape({
  guestIPMustBeZero: flag,
  guestIP: text,
  guestPort: port,
  guestPortRange: list(port),
  guestSocket: text,
  hostIP: text,
  hostPort: port,
  hostPortRange: list(port),
  hostSocket: text,
  proto: (value) => ['tcp', 'udp', 'any'].includes(value),
  reverse: flag,
  ignore: flag,
  static: flag,
})
const file = {
  location: text,
  arch: text,
  digest: (value) => /^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/.test(value),
}

const fields = {
  minimumLimaVersion: text,
  vmType: (value) => ['qemu', 'vz', 'wsl2'].includes(value),
  arch: text,
  images: list(shape({ ...file, kernel: shape({ ...file, cmdline: text }), initrd: shape(file) })),
  cpus: (value) => whole(value) && value > 0,
  memory: (value) => text(value) && parseSize(value) !== undefined,
  disk: (value) => text(value) && parseSize(value) !== undefined,
  mounts: list(mount),
  mountType: (value) => ['reverse-sshfs', '9p', 'virtiofs', 'wsl2'].includes(value),
  mountTypesUnsupported: list(text),
  ssh: shape({ localPort: whole, loadDotSSHPubKeys: flag, forwardAgent: flag, forwardX11: flag }),
  containerd: shape({ system: flag, user: flag }),
  portForwards: list(forward),
  propagateProxyEnv: flag,
  plain: flag,
}

const systemPaths = new Set(['/', '/bin', '/dev', '/etc', '/home', '/opt', '/sbin', '/tmp', '/usr', '/var'])

/** What is wrong, in Lima's words where it has some; undefined for what it takes. */
export function validate(config) {
  if ('base' in config) return 'field `base` must be empty for YAML validation'
  const wrong = Object.entries(config).find(([key, value]) => !fields[key]?.(value))
  if (wrong !== undefined) {
    const [key, value] = wrong
    if (!(key in fields)) return `unknown field "${key}"`
    return `field \`${key}\` has an invalid value: ${JSON.stringify(value)}`
  }
  if (!config.images?.length) return 'field `images` must be set'
  return (config.mounts ?? []).map(validateMount).find((problem) => problem !== undefined)
}

function validateMount({ location, mountPoint }, index) {
  const field = `field \`mounts[${index}]`
  if (!location.startsWith('/')) return `${field}.location\` must be an absolute path, got \`${location}\``
  if (existsSync(location) && !statSync(location).isDirectory())
    return `${field}.location\` refers to a non-directory path: \`${location}\``
  if (systemPaths.has(mountPoint))
    return `${field}.mountPoint\` must not be a system path such as /etc or /usr`
  return undefined
}
