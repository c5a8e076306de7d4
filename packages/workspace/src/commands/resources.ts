import { HolmError } from '@holm/core'
import type { Resources } from '@holm/core'

/** `--cpus` and `--memory`. HOLM_USAGE names the flag. */
export async function parseResources({
  cpus,
  memory,
}: {
  readonly cpus: string | undefined
  readonly memory: string | undefined
}): Promise<Resources | undefined> {
  if (cpus === undefined && memory === undefined) return undefined
  return {
    ...(cpus !== undefined && { cpus: parseCores(cpus) }),
    ...(memory !== undefined && { memoryBytes: await parseMemory(memory) }),
  }
}

function parseCores(text: string): number {
  const cores = /^\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : 0
  if (cores > 0) return cores
  throw wrong('cpus', text, 'a number of cores such as 2 or 0.5')
}

/** The host's own reading of sizes. */
async function parseMemory(text: string): Promise<number> {
  const { parseSize } = await import('@holm/core/host')
  try {
    return parseSize(text)
  } catch {
    throw wrong('memory', text, 'a size such as 4gb or 512mb')
  }
}

function wrong(flag: string, text: string, form: string): HolmError {
  return new HolmError('HOLM_USAGE', `--${flag} is ${JSON.stringify(text)}, which is not ${form}`, {
    hint: `Give --${flag} ${form}.`,
    details: { flag, value: text },
  })
}
