/** What an image says of the programs that run in it. */
export interface ImageConfig {
  readonly env: readonly string[]
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  readonly user: string
  readonly workdir: string
  readonly labels: Readonly<Record<string, string>>
}

export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Pure: the part `config` of an OCI image configuration, every field of which may be missing. */
export function parseImageConfig(value: unknown): ImageConfig {
  const config = (value ?? {}) as Readonly<Record<string, unknown>>
  const env = texts(config['Env'])
  return {
    env: env.some((entry) => entry.startsWith('PATH=')) ? env : [`PATH=${defaultPath}`, ...env],
    entrypoint: texts(config['Entrypoint']),
    cmd: texts(config['Cmd']),
    user: text(config['User']),
    workdir: text(config['WorkingDir']),
    labels: (config['Labels'] ?? {}) as Record<string, string>,
  }
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** Pure: "A=b" entries, later ones over earlier ones of the same name. */
export function mergeEnv(
  base: readonly string[],
  over: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const kept = base.filter((entry) => !Object.hasOwn(over, entry.slice(0, entry.indexOf('='))))
  const added = Object.entries(over).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${value}`],
  )
  return [...kept, ...added]
}
