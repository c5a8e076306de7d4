import { resolvePaths } from '@holm/core/host'
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { claimFolder, createScriptLoader } from './kept-code.ts'
import type { Main } from './index.ts'

/** Runs holm as this process, with what V8 made of its code in earlier runs. */
export async function start(): Promise<void> {
  const folder = codeFolder()
  // For what is loaded as modules: most plugins, and what is set aside for few commands.
  if (folder !== undefined) enableCompileCache(folder)
  const scripts = createScriptLoader({ folder, purpose: purposeOf(process.argv[2]) })
  const { main } = scripts.load(join(import.meta.dirname, 'index.cjs')) as { readonly main: Main }
  await main(scripts)
}

/** Node's own variables for its compile cache hold for this one, too. */
function codeFolder(): string | undefined {
  const { env } = process
  if (env['NODE_DISABLE_COMPILE_CACHE']) return undefined
  const own = env['NODE_COMPILE_CACHE']
  return claimFolder(own ? join(own, 'holm') : join(resolvePaths({ env }).cache, 'code'))
}

function purposeOf(word = ''): string {
  return /^[a-z][a-z-]{0,30}$/.test(word) ? word : 'other'
}
