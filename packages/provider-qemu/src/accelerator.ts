import { accessSync, constants } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { release } from 'node:os'
import path from 'node:path'
import type { ProviderContext } from '@holm/core'
import type { Accelerator, Architecture } from './argv.ts'
import { replaceFile } from './files-on-disk.ts'
import { loadBootId, readText } from './processes.ts'

export interface Verdict {
  readonly accelerator: Accelerator
  /** Why it is not KVM, one sentence. */
  readonly reason?: string
}

/** Exit code of the probe's machine when its processor came to the end. */
const probeCode = 33
const probeMs = 1000

/**
 * 64 KiB that are the whole memory a processor starts in: count down from 16 million, then tell the exit device. A KVM that
 * only emulates instructions does not get there in time, and one that hangs never does.
 */
export function createProbeRom(): Buffer {
  const rom = Buffer.alloc(65_536, 0xf4)
  // mov ecx, 0x1000000; dec ecx; jnz; mov dx, 0xf4; mov al, 16; out dx, al; hlt
  Buffer.from('66b900000001664975fcbaf400b010eef4', 'hex').copy(rom, 0xff00)
  // Where a processor begins: jmp 0xff00
  Buffer.from('e90dff', 'hex').copy(rom, 0xfff0)
  return rom
}

export function probeArgv(rom: string): string[] {
  return [
    'qemu-system-x86_64',
    '-machine',
    'pc',
    '-accel',
    'kvm',
    '-m',
    '16',
    '-nodefaults',
    '-display',
    'none',
    '-no-reboot',
    '-bios',
    rom,
    '-device',
    'isa-debug-exit,iobase=0xf4,iosize=1',
  ]
}

/** Why KVM need not even be tried; undefined when it may work. Pure. */
export function excludeKvm(machine: {
  readonly architecture: Architecture
  readonly device: boolean
  readonly processor: string
}): string | undefined {
  if (!machine.device) return '/dev/kvm is missing or may not be used by this user.'
  if (machine.architecture === 'x86_64' && !/\b(?:vmx|svm)\b/.test(machine.processor))
    return 'The processor of this machine offers no virtualisation (no vmx or svm).'
  return undefined
}

function mayUseKvm(): boolean {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** What of this machine has a say in whether KVM works. */
export interface MachineFacts {
  readonly device: boolean
  readonly processor: string
  /** The kernel, and which start of it: between two of them somebody may have allowed what was not. */
  readonly kernel: string
}

export interface Trial {
  readonly architecture: Architecture
  /** Of QEMU. */
  readonly version: string
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
}

/** Whether KVM truly works here. Tried once for a kernel, a start of it and a version of QEMU; the verdict is kept in `folder`. */
export async function findAccelerator(
  { architecture, version, folder, env }: Trial,
  ctx: ProviderContext,
  machine: MachineFacts = readFacts(),
): Promise<Verdict> {
  const excluded = excludeKvm({ architecture, ...machine })
  if (excluded !== undefined) return { accelerator: 'tcg', reason: excluded }
  // A trial by a program for x86 says nothing of another processor.
  if (architecture !== 'x86_64') return { accelerator: 'kvm' }
  const key = `${machine.kernel} ${version}`
  const file = path.join(folder, 'kvm.json')
  const found = (await loadVerdicts(file))[key]
  if (found) return found
  const verdict = await tryKvm(folder, env, ctx)
  await replaceFile(file, JSON.stringify({ [key]: verdict })).catch(() => undefined)
  return verdict
}

function readFacts(): MachineFacts {
  const kernel = `${release()} ${loadBootId()}`
  return { device: mayUseKvm(), processor: readText('/proc/cpuinfo'), kernel }
}

async function loadVerdicts(file: string): Promise<Readonly<Record<string, Verdict>>> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Record<string, Verdict>
  } catch {
    return {}
  }
}

async function tryKvm(
  folder: string,
  env: Trial['env'],
  { runner, signal, log }: ProviderContext,
): Promise<Verdict> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const temporary = await mkdtemp(path.join(folder, 'probe-'))
  try {
    const rom = path.join(temporary, 'rom')
    await writeFile(rom, createProbeRom())
    const process = await runner.spawn(probeArgv(rom), { signal, env })
    process.stdout.resume()
    process.stderr.resume()
    const timer = setTimeout(() => void process.kill('SIGKILL'), probeMs)
    const { code } = await process.exited.finally(() => clearTimeout(timer))
    if (code === probeCode) return { accelerator: 'kvm' }
    log.debug(`the probe of KVM ended with ${code}`)
    return {
      accelerator: 'tcg',
      reason: 'KVM is here and does not work: a first program did not end within a second.',
    }
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}
