/** A value's form: how it is checked, read from a string (environment, `config set`) and shown in the reference. */
export type ConfigType = keyof ConfigTypes

export interface ConfigTypes {
  string: string
  boolean: boolean
  integer: number
  /** Milliseconds; written as a number or as "500ms", "30s", "5m", "1h". */
  duration: number
  /** Entries of `plugins`: names, paths, [name, options]; inline definitions in code. */
  plugins: readonly unknown[]
}

export interface ConfigEntry {
  readonly type: ConfigType
  /** Undefined: not set. */
  readonly default: string | boolean | number | readonly unknown[] | undefined
  readonly meaning: string
  /** Environment variable that sets it. */
  readonly env: `HOLM_${string}`
  readonly options?: readonly string[]
  /** Limits of an integer, inclusive. */
  readonly range?: readonly [min: number, max: number]
  /** `options` go from loose to strict, and what one file or variable says strictly no other makes loose. */
  readonly strictest?: true
  /** Form of a string, with the words that name it. */
  readonly form?: { readonly pattern: RegExp; readonly words: string }
}

const port = [1, 65_535] as const

/** Every key; docs/reference/config.md is generated from it. Sections `plugin.<id>.<key>` belong to the plugins. */
export const configTable = {
  provider: {
    type: 'string',
    default: undefined,
    meaning:
      'Provider to use when neither the command nor the blueprint names one. Not set: the best usable one.',
    env: 'HOLM_PROVIDER',
  },
  namespace: {
    type: 'string',
    default: 'holm',
    meaning:
      'Prefix of everything this holm makes in a runtime; holms of different namespaces never see each other.',
    env: 'HOLM_NAMESPACE',
    form: { pattern: /^[a-z][a-z0-9-]{0,19}$/, words: '1 to 20 lower-case letters, digits and hyphens' },
  },
  plugins: {
    type: 'plugins',
    default: [],
    meaning: 'Plugins to load: package names, paths (from the folder of the file), or [name, options].',
    env: 'HOLM_PLUGINS',
  },
  'log.level': {
    type: 'string',
    default: 'warn',
    meaning: 'Least important message that is logged.',
    env: 'HOLM_LOG__LEVEL',
    options: ['debug', 'info', 'warn', 'error'],
  },
  'up.timeout': {
    type: 'duration',
    default: 1_800_000,
    meaning: 'Deadline of a whole `up`, provisioning included.',
    env: 'HOLM_UP__TIMEOUT',
  },
  'up.startTimeout': {
    type: 'duration',
    // A machine whose processor is emulated, with an init system and cloud-init, takes minutes.
    default: 300_000,
    meaning: 'Deadline of the start of an environment.',
    env: 'HOLM_UP__START_TIMEOUT',
  },
  'up.keep': {
    type: 'boolean',
    default: false,
    meaning: 'Leave an environment whose `up` failed for a look inside, as with --keep.',
    env: 'HOLM_UP__KEEP',
  },
  'up.golden': {
    type: 'boolean',
    default: true,
    meaning: 'Make environments from a golden image when there is one for what their blueprint installs.',
    env: 'HOLM_UP__GOLDEN',
  },
  'up.saveGolden': {
    type: 'boolean',
    default: false,
    meaning: 'Save a golden image after an `up` that had to install things, as `holm build` does.',
    env: 'HOLM_UP__SAVE_GOLDEN',
  },
  'up.docker': {
    type: 'string',
    default: 'all',
    meaning:
      'Where blueprints may have a Docker engine inside (`docker: true`): on `all` providers that can, only in virtual machines (`vm`), or `none`. The strictest value of all counts, so that one in /etc/holm cannot be loosened.',
    env: 'HOLM_UP__DOCKER',
    options: ['all', 'vm', 'none'],
    strictest: true,
  },
  'stop.grace': {
    type: 'duration',
    default: 10_000,
    meaning: 'Time between SIGTERM and SIGKILL.',
    env: 'HOLM_STOP__GRACE',
  },
  'exec.shell': {
    type: 'string',
    default: undefined,
    meaning: 'Shell of `holm shell`. Not set: the login shell of the user inside.',
    env: 'HOLM_EXEC__SHELL',
  },
  'ports.first': {
    type: 'integer',
    default: 32_800,
    meaning: 'First port of this machine that is given to ports of environments that name none.',
    env: 'HOLM_PORTS__FIRST',
    range: port,
  },
  'ports.last': {
    type: 'integer',
    default: 34_999,
    meaning: 'Last port of this machine that is given to ports of environments that name none.',
    env: 'HOLM_PORTS__LAST',
    range: port,
  },
  'base.default': {
    type: 'string',
    default: 'debian-12',
    meaning: 'Base of blueprints that name none, on providers that do not run on the files of this machine.',
    env: 'HOLM_BASE__DEFAULT',
  },
  'base.imageServer': {
    type: 'string',
    default: 'https://images.linuxcontainers.org',
    meaning: 'Server (URL) of the root filesystems that bases such as `download:debian/bookworm` name.',
    env: 'HOLM_BASE__IMAGE_SERVER',
    form: { pattern: /^https?:\/\/\S+$/, words: 'a URL of http or https' },
  },
  'base.mirror': {
    type: 'string',
    default: undefined,
    meaning: "Package mirror (URL) that `holm base build` uses. Not set: the distribution's own.",
    env: 'HOLM_BASE__MIRROR',
    form: { pattern: /^(https?|file):\/\/\S+$/, words: 'a URL of http, https or file' },
  },
} as const satisfies Record<string, ConfigEntry>

export type ConfigKey = keyof typeof configTable

type Loose<Entry extends ConfigEntry> = Entry['default'] extends undefined
  ? ConfigTypes[Entry['type']] | undefined
  : ConfigTypes[Entry['type']]

/** Values by key. */
export type ConfigValues = { readonly [Key in ConfigKey]: Loose<(typeof configTable)[Key]> }

export const configKeys: readonly ConfigKey[] = Object.keys(configTable) as ConfigKey[]

/** Prefix of the keys that belong to plugins: `plugin.<id>.<key>`. */
export const pluginPrefix = 'plugin.'

/** The table's entry, with the optional properties visible; undefined for an unknown key. */
export function findEntry(key: string): ConfigEntry | undefined {
  return Object.hasOwn(configTable, key) ? configTable[key as ConfigKey] : undefined
}
