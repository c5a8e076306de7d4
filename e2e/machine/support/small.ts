import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { EnvironmentInfo, ErrorCode } from '@holm/core'
import { expectCode, listResidue, type FaultHolm } from '../../faults/support/fault-holm.ts'
import { makeSmallRootfs } from '../../faults/support/small-rootfs.ts'
import { describeEnd, type Ended } from '../../support/holm.ts'
import { expectMachine, listMachine } from './machine.ts'

/** Says that it is under way, and goes on until it is ended. */
export const held = 'scripts: { setup: "echo it goes on; sleep 1000" }\n'

/** Writes a blueprint on a root filesystem that is unpacked in a moment, and makes that known. */
export async function prepareSmall(holm: FaultHolm, provider: string, rest = ''): Promise<void> {
  const port = provider === 'containerd' || provider === 'lxc' || provider === 'qemu'
  const network = port ? 'ports: ["0:7000"]\n' : provider === 'docker' ? 'network: none\n' : ''
  const text = `name: one\nbase: small\nprovider: ${provider}\nproject: false\n${network}${rest}`
  holm.write('holm.yaml', text)
  if (existsSync(join(holm.home, 'data', 'bases'))) return
  await expectCode(holm, ['base', 'add', 'small', await makeSmallRootfs(holm.folder)], 0)
}

export interface Before {
  readonly machine: readonly string[]
  readonly residue: readonly string[]
}

export async function listBefore(holm: FaultHolm): Promise<Before> {
  return { machine: listMachine(), residue: await listResidue(holm, '') }
}

export async function expectAsBefore(holm: FaultHolm, { machine, residue }: Before): Promise<void> {
  await expectMachine(machine)
  expect(await listResidue(holm, '')).toEqual(residue)
}

/** Name and status of every environment. */
export async function listStatuses(holm: FaultHolm): Promise<Record<string, string>> {
  const { stdout } = await expectCode(holm, ['list', '--json'], { exit: 0, timeoutMs: 30_000 })
  const infos = JSON.parse(stdout) as EnvironmentInfo[]
  return Object.fromEntries(infos.map(({ name, status }) => [name, status]))
}

/** It ended by itself, in time, and with an error of holm's that says what to do. */
export function expectClearError(
  args: readonly string[],
  ended: Ended,
  { exit, code }: { readonly exit: number; readonly code: ErrorCode },
): void {
  expect(ended.code, describeEnd(args, ended)).toBe(exit)
  // Where many are made at once, each has its error in the result.
  const said = `${ended.stdout}\n${ended.stderr}`
  expect(said, describeEnd(args, ended)).toMatch(new RegExp(`\\b${code}: \\S.*`))
  expect(said).toMatch(/^hint: \S/m)
}
