import { randomUUID } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { rmSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { cli, type FaultHolm } from '../../faults/support/fault-holm.ts'
import { describeEnd, runProgram, type Ended } from '../../support/holm.ts'
import { listMachine } from './machine.ts'

/** What the kernel of this machine knew before; a new one knows nothing else. */
export interface Kernel {
  readonly machine: readonly string[]
  readonly rules: readonly { readonly program: string; readonly text: string }[]
}

export function rememberKernel(): Kernel {
  const rules = ['iptables', 'ip6tables'].map((program) => ({
    program,
    text: spawnSync(`${program}-save`, { encoding: 'utf8' }).stdout ?? '',
  }))
  return { machine: listMachine(), rules }
}

/** Takes away what was made since, as a new kernel has none of it: mounts, interfaces, rules, control groups. */
export function forgetKernel({ machine, rules }: Kernel): void {
  const made = listMachine().filter((line) => !machine.includes(line))
  const named = (kind: string): string[] =>
    made.filter((line) => line.startsWith(`${kind} /`)).map((line) => line.slice(kind.length + 1))
  for (const point of named('mount').toReversed()) spawnSync('umount', ['--lazy', unescape(point)])
  for (const line of made.filter((each) => each.startsWith('interface ')))
    spawnSync('ip', ['link', 'delete', line.slice('interface '.length)])
  for (const { program, text } of rules) spawnSync(`${program}-restore`, { input: text })
  // What is deepest goes first.
  for (const group of named('control group').toSorted((a, b) => b.length - a.length)) {
    try {
      rmdirSync(group)
    } catch {
      // Another runtime's, which it cleans itself.
    }
  }
}

/** The kernel writes spaces and the like in octal. */
function unescape(point: string): string {
  return point.replaceAll(/\\(\d{3})/g, (_all, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  )
}

/** Runs holm as after a restart of this machine: the kernel tells another boot id. */
export function rebootedHolm(holm: FaultHolm): (args: readonly string[], exit?: number) => Promise<Ended> {
  const bootId = join(holm.folder, 'boot_id')
  writeFileSync(bootId, `${randomUUID()}\n`)
  const script = 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"'
  return async (args, exit = 0) => {
    const argv = ['unshare', '--mount', 'sh', '-c', script, bootId, cli, ...args]
    const ended = await runProgram(argv, { cwd: holm.project, env: holm.env })
    expect(ended.code, describeEnd(['holm', ...args], ended)).toBe(exit)
    return ended
  }
}

/** Folders that a daemon and its tools keep where a restart of the machine empties them. */
export function forgetRun(folder: string, namespace: string): void {
  const own = ['state', 'exec', 'pid'].map((name) => join(folder, name))
  for (const path of [...own, join('/run/containerd/runc', namespace)])
    rmSync(path, { recursive: true, force: true })
}
