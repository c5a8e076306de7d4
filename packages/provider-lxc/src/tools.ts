import { HolmError } from '@holm/core'
import type { ProviderContext, RunToEndOptions } from '@holm/core'
import { diskFull } from './files-on-disk.ts'

/** Runs a tool to its end. Anything but success is HOLM_ENVIRONMENT_FAILED, or HOLM_DISK_FULL, with what the tool said. */
export async function runTool(
  argv: readonly string[],
  options: RunToEndOptions & { readonly what: string },
  ctx: ProviderContext,
): Promise<string> {
  const { what, ...rest } = options
  const { code, stdout, stderr } = await ctx.runner.run(argv, {
    signal: ctx.signal,
    timeoutMs: 600_000,
    ...rest,
  })
  if (code === 0) return stdout
  throw toolError(what, stderr || stdout || `${argv[0]} ended with code ${code}`)
}

export function toolError(what: string, text: string): HolmError {
  const last = text.trim().split('\n').slice(-3).join('; ') || 'no message'
  if (/No space left|Disk quota/i.test(text)) return diskFull(`${what}: ${last}`)
  return new HolmError('HOLM_ENVIRONMENT_FAILED', `cannot ${what}: ${last}`, {
    hint: 'Run `holm doctor` to see what this machine allows.',
  })
}
