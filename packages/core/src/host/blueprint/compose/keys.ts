/** Keys of a service that are translated. */
export const translatedKeys: ReadonlySet<string> = new Set([
  'build',
  'cap_add',
  'cap_drop',
  'command',
  'container_name',
  'cpus',
  'depends_on',
  'deploy',
  'entrypoint',
  'env_file',
  'environment',
  'healthcheck',
  'hostname',
  'image',
  'init',
  'mem_limit',
  'networks',
  'pids_limit',
  'ports',
  'profiles',
  'restart',
  'tmpfs',
  'user',
  'volumes',
  'working_dir',
])

/** Keys that change nothing here: everything can be reached in one network, and nobody sits at a terminal. */
export const silentKeys: ReadonlySet<string> = new Set([
  'annotations',
  'attach',
  'develop',
  'expose',
  'labels',
  'pull_policy',
  'stdin_open',
  'tty',
])

/** Keys without which a service would be another one than was written: leaving them out would be a lie. */
export const refusedKeys: Readonly<Record<string, string>> = {
  cgroup: 'joins a control group of this machine',
  cgroup_parent: 'joins a control group of this machine',
  configs: 'needs configs',
  credential_spec: 'needs credentials of Windows',
  device_cgroup_rules: 'uses devices of this machine',
  devices: 'uses devices of this machine',
  extends: 'extends another service',
  external_links: 'needs containers from elsewhere',
  gpus: 'uses devices of this machine',
  ipc: 'shares memory with others',
  isolation: 'needs an isolation of Windows',
  models: 'needs models',
  network_mode: 'has a network of another kind',
  pid: 'sees processes of others',
  privileged: 'runs privileged',
  provider: 'is run by another program',
  runtime: 'needs another runtime of the engine',
  secrets: 'needs secrets',
  security_opt: 'changes its security',
  userns_mode: 'has other users',
  uts: 'shares its host name',
  volumes_from: 'has the volumes of another service',
}

/** What says the same as not being there. */
export function isDefault(key: string, value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === 'false') return true
  if (Array.isArray(value) && value.length === 0) return true
  if (key === 'network_mode') return value === 'bridge'
  if (key === 'ipc' || key === 'cgroup') return value === 'private'
  return (
    key === 'security_opt' &&
    Array.isArray(value) &&
    value.every((option) => /^no-new-privileges(?:[:=]true)?$/.test(String(option)))
  )
}
