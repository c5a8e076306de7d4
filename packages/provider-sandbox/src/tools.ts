import { realpathSync } from 'node:fs'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { ProviderContext } from '@holm/core'

/**
 * Words that start a program of this machine although this machine's root lies at `below`: through its own loader and
 * libraries, named by their full paths, so that nothing of the new root is executed.
 */
export async function libraryStart(
  program: string,
  below: string,
  ctx: ProviderContext,
): Promise<readonly string[]> {
  const found = await ctx.runner.run(
    ['sh', '-c', 'p=$(command -v "$1") && echo "$p" && ldd "$p"', 'sh', program],
    { signal: ctx.signal },
  )
  const [file = '', ...lines] = found.stdout.trim().split('\n')
  const libraries = parseLdd(lines.join('\n'))
  if (found.code !== 0 || libraries.loader === undefined) {
    throw new HolmError(
      'HOLM_TOOL_MISSING',
      `cannot find out how ${program} is loaded: ${found.stderr.trim()}`,
      {
        hint: 'Install bubblewrap, which needs no such help.',
      },
    )
  }
  const moved = (name: string): string => path.join(below, realpathSync(name))
  const folders = [...new Set(libraries.files.map((name) => path.dirname(moved(name))))]
  return [moved(libraries.loader), '--library-path', folders.join(':'), moved(file)]
}

export interface Libraries {
  readonly loader: string | undefined
  readonly files: readonly string[]
}

/** What ldd of glibc or musl prints. */
export function parseLdd(text: string): Libraries {
  const words = text.split('\n').flatMap((line) => /(?:=>\s*)?(\/\S+)\s+\(0x/.exec(line)?.[1] ?? [])
  return { loader: words.find((word) => /\/ld[-.\w]*\.so|\/ld-/.test(word)), files: words }
}
