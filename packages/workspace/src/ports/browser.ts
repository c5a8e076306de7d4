import { isHolmError } from '@holm/core'
import type { PluginApi } from '@holm/core'

type Surroundings = Pick<PluginApi, 'env' | 'platform' | 'runner'>

/** Opens an address in the browser; a sentence where that cannot be done. */
export async function openBrowser(
  { env, platform, runner }: Surroundings,
  url: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const [program = '', ...rest] = browserOf(env, platform)
  try {
    const { code } = await runner.run([program, ...rest, url], { signal, timeoutMs: patienceMs })
    return code === 0 ? undefined : `${program} ended with ${code}: open the address yourself`
  } catch (error) {
    if (isHolmError(error, 'HOLM_TIMEOUT') || isHolmError(error, 'HOLM_TOOL_MISSING'))
      return `no browser could be started with ${program}: open the address yourself, or set BROWSER`
    throw error
  }
}

const patienceMs = 15_000

function browserOf(env: Surroundings['env'], platform: Surroundings['platform']): readonly string[] {
  // A list of programs, of which the first one counts.
  const [own] = (env['BROWSER'] ?? '').split(':')
  if (own) return [own]
  if (platform === 'darwin') return ['open']
  if (platform === 'win32') return ['explorer.exe']
  return ['xdg-open']
}
