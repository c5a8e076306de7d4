import type { ProviderContext } from '@holm/core'
import type { Architecture } from './argv.ts'

/** What QEMU says of itself, for example "QEMU 7.2.22". HOLM_TOOL_MISSING when it is not installed. */
export async function loadVersion(
  architecture: Architecture,
  env: Readonly<Record<string, string>>,
  { runner }: Pick<ProviderContext, 'runner'>,
): Promise<string> {
  const { stdout } = await runner.run([`qemu-system-${architecture}`, '--version'], { env, timeoutMs: 2000 })
  return parseVersion(stdout)
}

export function parseVersion(text: string): string {
  const version = /version (\d+(?:\.\d+)+)/.exec(text)?.[1]
  return version === undefined ? 'QEMU' : `QEMU ${version}`
}
