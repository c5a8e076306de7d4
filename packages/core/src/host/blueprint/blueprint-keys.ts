import type { DocumentPath } from './plain-value.ts'

/**
 * Every key of a native blueprint with its description: the one table behind the published JSON Schema,
 * docs/reference/blueprint.md and "did you mean". `*` stands for a name the user chooses; entries of a list have the
 * path of the list.
 */
export const blueprintKeys: Readonly<Record<string, string>> = {
  $schema: 'Address of the JSON Schema, for editors. Ignored by holm.',
  name: 'Name of the environment unless `--name` gives another; made of the folder when absent. Not inherited.',
  description: 'One sentence for people.',
  extends:
    'Parents, later ones win over earlier ones, and this file over all: a built-in (`python-dev`), a file (`./base.yaml`), or a file of a git repository at a full commit (`git+https://host/repo.git#<40 hex digits>:<path>`).',
  base: 'Root filesystem to start from: a name of `holm base list`, an image reference, `host` (this machine, sandbox only), or an object. Absent: holm chooses one that the provider takes.',
  'base.image': 'OCI image reference.',
  'base.digest': 'Digest of the image, `sha256:` and 64 hex digits. Wins over the tag.',
  'base.rootfs': 'Root filesystem tarball on this machine (plain, .gz, .xz or .zst).',
  'base.sha256': 'Checksum of the tarball or disk.',
  'base.folder': 'Unpacked root filesystem on this machine. Never written to.',
  'base.disk': 'Disk image of a virtual machine on this machine (qcow2 or raw), for example a cloud image.',
  'base.dockerfile': 'Dockerfile to build, for providers that can.',
  'base.context': "Build context. Default: the Dockerfile's folder.",
  'base.args': 'Build arguments.',
  'base.args.*': 'Value of the build argument.',
  'base.target': 'Stage of the Dockerfile.',
  provider: 'Preferred provider. `--provider` wins.',
  packages:
    'Packages of the distribution, installed with the package manager found inside (apt, apk, dnf, zypper, pacman).',
  tools: 'Languages and tools by version: `node`, `python`, `go`, `rust`, `java`.',
  'tools.*': 'Wanted version: `20`, `"3.12"`, `latest`.',
  scripts: 'Shell scripts of the provisioning, run once as root.',
  'scripts.setup':
    'Runs after packages and tools, before the environment variables are set. One script or several.',
  'scripts.postInstall': 'Runs last. One script or several.',
  environment: 'Environment variables of everything that runs inside.',
  'environment.*': 'Value; `null` removes an inherited one.',
  ports:
    'Published ports. `8080` is the same port on both sides, `"8080:80"` is this machine first, `"0:80"` picks a free port, `"8000-8010:8000-8010"` is a range, `"0.0.0.0:8080:80/udp"` names address and protocol. Default address 127.0.0.1.',
  'ports.container': 'Port inside.',
  'ports.host': 'Port on this machine. Absent: a free one.',
  'ports.hostIp': 'Address on this machine. Default 127.0.0.1.',
  'ports.protocol': '`tcp` (default) or `udp`.',
  expose: 'Ports that other environments may reach, not published on this machine.',
  network: '`default`, `none`, `host`, or the name of a network of the provider.',
  hostname: "Host name inside. Default: the environment's name.",
  volumes: 'Volumes that outlive the environment. An entry replaces an inherited one with the same `mount`.',
  'volumes.name': 'Name of the volume. Absent: removed with the environment.',
  'volumes.mount': 'Absolute path inside.',
  'volumes.readonly': 'Not writable from inside.',
  bind_mounts:
    'Folders and files of this machine. An entry replaces an inherited one with the same `container`.',
  'bind_mounts.host': "Path on this machine; relative to this file's folder, `~` is the home folder.",
  'bind_mounts.container': 'Absolute path inside.',
  'bind_mounts.readonly': 'Not writable from inside.',
  tmpfs: 'Folders in memory: `/tmp`, `"/tmp:size=64m"`, or an object.',
  'tmpfs.mount': 'Absolute path inside.',
  'tmpfs.size': 'Largest size, for example `64m`.',
  resources: 'Limits. A provider that cannot apply one says so in `holm status`.',
  'resources.cpus': 'Cores: `2`, `0.5`.',
  'resources.memory': 'Memory: `4GiB`, `512mb`, or bytes. Units are powers of 1024.',
  'resources.disk': 'Disk space, written as memory is.',
  'resources.pids': 'Number of processes.',
  user: 'User that commands run as. Packages and scripts always run as root.',
  matchUserId:
    'Give `user` the numeric id of the caller, so that files of the project have one owner (Linux). Default: `true` for a user that is not root.',
  workdir: 'Folder that commands start in. Default: where the project is mounted.',
  project: 'Where the project folder appears inside, or `false` to leave it out. Default `/workspace`.',
  lifecycle:
    'Commands at fixed moments. A string is given to a shell, a list runs without one, an object runs its commands in parallel.',
  'lifecycle.initialize': 'On this machine, before anything is made.',
  'lifecycle.onCreate': 'Inside, once, after provisioning.',
  'lifecycle.updateContent': 'Inside, once, after onCreate.',
  'lifecycle.postCreate': 'Inside, once, after updateContent.',
  'lifecycle.postStart': 'Inside, at each start.',
  'lifecycle.postAttach': 'Inside, at each `holm shell`.',
  'lifecycle.initialize.*': 'One command of the parallel group.',
  'lifecycle.onCreate.*': 'One command of the parallel group.',
  'lifecycle.updateContent.*': 'One command of the parallel group.',
  'lifecycle.postCreate.*': 'One command of the parallel group.',
  'lifecycle.postStart.*': 'One command of the parallel group.',
  'lifecycle.postAttach.*': 'One command of the parallel group.',
  check:
    'Command whose success shows that the environment works: `holm check` runs it inside, `holm up` does not.',
  services: 'Servers, workers and databases, by name.',
  'services.*': 'One service.',
  'services.*.command':
    'Runs inside the environment; with `image` it is what the image runs instead of its own. A string is given to a shell, a list runs without one.',
  'services.*.image':
    'Image to run beside the environment, in one network with it. A provider that cannot runs `command` inside, and refuses a service that has none.',
  'services.*.volumes': 'Volumes of a service with an image; kept when it is removed.',
  'services.*.volumes.name':
    'Named: kept until `holm destroy --volumes`. Without a name it goes with the service.',
  'services.*.volumes.mount': 'Absolute path in the service.',
  'services.*.volumes.readonly': 'Nothing can be written to it.',
  'services.*.environment': 'Environment variables of this service.',
  'services.*.environment.*': 'Value.',
  'services.*.ports': 'Published ports, written as the ones of the environment.',
  'services.*.ports.container': 'Port inside.',
  'services.*.ports.host': 'Port on this machine. Absent: a free one.',
  'services.*.ports.hostIp': 'Address on this machine. Default 127.0.0.1.',
  'services.*.ports.protocol': '`tcp` (default) or `udp`.',
  'services.*.depends_on': 'Services that must be healthy first.',
  'services.*.healthcheck': 'When the service counts as ready: exactly one of `url`, `port` and `command`.',
  'services.*.healthcheck.url': 'Answers with a status below 400.',
  'services.*.healthcheck.port': 'Accepts a connection.',
  'services.*.healthcheck.command': 'Exits 0.',
  'services.*.healthcheck.interval': 'Time between two checks. Default 2s.',
  'services.*.healthcheck.timeout': 'Longest time of one check. Default 5s.',
  'services.*.healthcheck.retries': 'Failures in a row that make it unhealthy. Default 15.',
  'services.*.healthcheck.start_period': 'Time in which failures do not count. Default 0s.',
  'services.*.restart': '`no` (default), `on-failure` or `always`.',
  compose:
    'Compose file, relative to this file: its services run beside the environment, as those with an `image` do. A path or an object.',
  'compose.file': 'The file.',
  'compose.services': 'Only these, and what they need. Default: all that no profile holds back.',
  'compose.profiles': 'Profiles to take in.',
  'compose.ports':
    '`asked` (default): published on the ports of this machine that the file names. `free`: on free ones, so that several environments can have them.',
  secrets:
    'Secrets by the environment variable that receives them; only references, values are read at the moment of use.',
  'secrets.*': '`env:NAME`, `file:path`, or an object.',
  'secrets.*.env': 'Environment variable of this machine.',
  'secrets.*.file': "File of this machine; relative to this file's folder.",
  'secrets.*.command': 'Command on this machine that prints the value; always a list.',
  'secrets.*.optional': 'Leave the variable out when it cannot be read, instead of failing.',
  docker:
    '`true`: a Docker engine of its own inside, with its own images and containers (providers docker, qemu and lima). On docker the environment can then take over this machine; in a virtual machine it cannot.',
  security: 'Everything looser than the safe defaults; shown by `holm status`.',
  'security.privileged': 'All capabilities and devices.',
  'security.capAdd': 'Linux capabilities to add.',
  'security.capDrop': 'Linux capabilities to drop.',
  'security.securityOpt': 'Security options of the runtime.',
  'security.devices': 'Devices of this machine, absolute paths.',
  providers: 'Provider-specific sections by provider id, each validated by that provider.',
  'providers.*': 'Section of the provider.',
  wslConfig: 'thresh: profile of wsl.conf, for the wsl provider.',
  wslConfigFile: 'thresh: file with a wsl.conf, for the wsl provider.',
  wslConfigCustom: 'thresh: sections of wsl.conf, for the wsl provider.',
}

/** The table's key for a path of a document, or undefined: `['ports', 0, 'host']` is `ports.host`. */
export function keyOf(path: DocumentPath): string | undefined {
  let key = ''
  for (const part of path) {
    if (typeof part === 'number') continue
    const prefix = key === '' ? '' : `${key}.`
    if (Object.hasOwn(blueprintKeys, `${prefix}${part}`)) key = `${prefix}${part}`
    else if (Object.hasOwn(blueprintKeys, `${prefix}*`)) key = `${prefix}*`
    else return undefined
  }
  return key
}

/** Names that may stand directly under a path. */
export function childKeys(path: DocumentPath): string[] {
  const key = keyOf(path)
  if (key === undefined) return []
  const prefix = key === '' ? '' : `${key}.`
  return Object.keys(blueprintKeys)
    .filter((name) => name.startsWith(prefix) && !name.slice(prefix.length).includes('.'))
    .map((name) => name.slice(prefix.length))
    .filter((name) => name !== '*')
}
