import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ProviderInfo } from '@holm/core'
import { expectCode, type FaultHolm } from '../faults/support/fault-holm.ts'
import { missingBuild, missingDocker, missingRootfs } from './holm.ts'

export interface Runtime {
  readonly provider: string
  readonly base: string
  /** What the tests need beyond what the provider's own probe asks for. */
  readonly missing?: () => string | undefined
  /** Makes the tarball of the base, in this folder. Absent: the one of the tests. */
  readonly makeBase?: (folder: string) => Promise<string>
}

function missingContainerd(): string | undefined {
  return process.env['HOLM_TEST_CONTAINERD_ADDRESS']
    ? undefined
    : 'HOLM_TEST_CONTAINERD_ADDRESS is not set: npm test starts a containerd'
}

/** Every provider that runs on Linux as it is, from one and the same tarball. */
export const runtimes: readonly Runtime[] = [
  { provider: 'sandbox', base: 'debian-12' },
  { provider: 'docker', base: 'debian-12', missing: missingDocker },
  { provider: 'containerd', base: 'debian-12', missing: missingContainerd },
  { provider: 'lxc', base: 'debian-12' },
  { provider: 'qemu', base: 'debian-12' },
]

/** Why the runtime cannot be used here, in the words of its own probe, or undefined. */
export async function whyNot(holm: FaultHolm, { provider, missing }: Runtime): Promise<string | undefined> {
  const reason = missingBuild() ?? missingRootfs() ?? missing?.()
  if (reason !== undefined) return reason
  const { stdout } = await expectCode(holm, ['provider', 'show', provider, '--json'], 0)
  const { probe } = JSON.parse(stdout) as ProviderInfo
  return probe?.usable === false ? (probe.reason ?? `${provider} is not usable`) : undefined
}

/** Writes a blueprint for the runtime, and makes its base known. */
export async function prepareRuntime(holm: FaultHolm, runtime: Runtime, rest = ''): Promise<void> {
  const { provider, base, makeBase } = runtime
  holm.write('holm.yaml', `name: one\nbase: ${base}\nprovider: ${provider}\n${rest}`)
  if (existsSync(join(holm.home, 'data', 'bases'))) return
  const tarball = (await makeBase?.(holm.folder)) ?? process.env['HOLM_TEST_ROOTFS'] ?? ''
  await expectCode(holm, ['base', 'add', base, tarball], 0)
}
