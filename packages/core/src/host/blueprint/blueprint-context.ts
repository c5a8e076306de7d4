import { readFileSync } from 'node:fs'
import { HolmError } from '../../errors.ts'
import type { Runner } from '../../process.ts'

/** Size of a machine, against which `hostRequirements` are held. */
export interface MachineSize {
  readonly cpus: number
  readonly memoryBytes: number
}

/** What blueprints are looked up with. Nothing in this folder reads `process.env` or the current folder. */
export interface BlueprintContext {
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly paths: { readonly config: string; readonly cache: string }
  readonly runner: Runner
  readonly platform: NodeJS.Platform
  readonly signal?: AbortSignal
  /** What the machine has; absent: asked of the operating system. */
  readonly machine?: MachineSize
}

/** A blueprint's text and where it came from. */
export type BlueprintSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'builtin'; readonly name: string; readonly path: string }
  | {
      readonly kind: 'git'
      readonly url: string
      readonly commit: string
      readonly path: string
      readonly file: string
    }

/** How a source is written in messages, in `origin.source`, and in a cycle. */
export function nameSource(source: BlueprintSource): string {
  if (source.kind === 'builtin') return `builtin:${source.name}`
  return source.kind === 'git' ? `git+${source.url}#${source.commit}:${source.path}` : source.path
}

/** Where the text of a source is on this machine. */
export function fileOf(source: BlueprintSource): string {
  return source.kind === 'git' ? source.file : source.path
}

/** Reads a blueprint's text; a folder or an unreadable file is HOLM_BLUEPRINT_NOT_FOUND with the reason. */
export async function readSource(source: BlueprintSource): Promise<string> {
  try {
    // At once: promises of files start threads, which a command of a moment has no other use for.
    return readFileSync(fileOf(source), 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    throw new HolmError(
      'HOLM_BLUEPRINT_NOT_FOUND',
      `cannot read the blueprint ${nameSource(source)}: ${code ?? String(error)}`,
      {
        hint: 'Check the path and its permissions.',
        cause: error,
        details: { source: nameSource(source) },
      },
    )
  }
}
