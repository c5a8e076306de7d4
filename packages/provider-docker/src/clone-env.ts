import { label } from './names.ts'

/** The parts of a container's or an image's description that tell its variables. */
export interface Described {
  readonly Env?: readonly string[] | undefined
  readonly Labels?: Readonly<Record<string, string>> | undefined
}

export interface CloneEnv {
  /** Variables to put back as the base has them. */
  readonly restore: Readonly<Record<string, string>>
  /** Variables that only the origin's spec brought. */
  readonly unset: readonly string[]
}

/**
 * Pure: what undoes the env of the origin's spec in an image committed from it. An image keeps every variable of its
 * container; what cannot be taken from it is remembered, and taken from the clones.
 */
export function cloneEnv(container: Described, image: Described): CloneEnv {
  const own = keysOf(container, label.env)
  const hidden = new Set(keysOf(image, label.unset))
  const base = new Map(
    (image.Env ?? [])
      .map((each) => [each.slice(0, each.indexOf('=')), each.slice(each.indexOf('=') + 1)] as const)
      .filter(([key]) => !hidden.has(key)),
  )
  return {
    restore: Object.fromEntries(own.flatMap((key) => (base.has(key) ? [[key, base.get(key) ?? '']] : []))),
    unset: own.filter((key) => !base.has(key)),
  }
}

export function keysOf({ Labels }: Described, name: string): readonly string[] {
  const text = Labels?.[name]
  if (!text) return []
  try {
    const keys: unknown = JSON.parse(text)
    return Array.isArray(keys) ? keys.filter((key) => typeof key === 'string') : []
  } catch {
    return []
  }
}
