import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { root } from '../../../scripts/root.ts'
import { listEngineTraces } from '../../support/engine.ts'
import {
  createTestHolm,
  describeEnd,
  missingBuild,
  missingDocker,
  missingRootfs,
  runProgram,
  type Ended,
  type RunOptions,
} from '../../support/holm.ts'
import { listFolder, listMachineTraces, listStateRows } from '../../support/traces.ts'

export const cli = join(root, 'bin', 'holm')
export const engine = process.env['HOLM_TEST_DOCKER_HOST'] ?? ''

/** A holm whose every folder has a space and a quote in its name, with a temporary folder of its own. */
export interface FaultHolm {
  /** Holds everything; no space in it, so that mounts below it are found in the kernel's lists. */
  readonly folder: string
  readonly home: string
  readonly project: string
  readonly namespace: string
  readonly env: NodeJS.ProcessEnv
  run(args: readonly string[], options?: RunOptions): Promise<Ended>
  start(args: readonly string[], options?: RunOptions): Started
  /** Writes a file of the project. */
  write(name: string, text: string): void
  dispose(): Promise<void>
}

export function createFaultHolm(): FaultHolm {
  const inner = createTestHolm()
  const [home, project, tmp] = ["it's home", "the user's project", "tmp o'r so"].map((name) =>
    join(inner.home, name),
  ) as [string, string, string]
  for (const folder of [home, project, tmp]) mkdirSync(folder)
  const env = { ...inner.env, HOLM_HOME: home, TMPDIR: tmp }
  const withEnv = (options: RunOptions): RunOptions => ({
    cwd: project,
    ...options,
    env: { ...env, ...options.env },
  })
  const run: FaultHolm['run'] = (args, options = {}) => runProgram([cli, ...args], withEnv(options))
  return {
    folder: inner.home,
    home,
    project,
    namespace: inner.namespace,
    env,
    run,
    start: (args, options = {}) => startProgram([cli, ...args], withEnv(options)),
    write: (name, text) => writeFileSync(join(project, name), text),
    async dispose() {
      await run(['destroy', '--all', '--yes', '--volumes'])
      await inner.dispose()
    },
  }
}

/** A program that runs while the test does something to it. */
export interface Started {
  readonly pid: number
  readonly ended: Promise<Ended>
  /** Resolves when one of its streams holds the text; rejects when it ends before that. */
  said(text: string): Promise<void>
  kill(signal: NodeJS.Signals): void
}

const signalNumbers: Readonly<Record<string, number>> = { SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }

export function startProgram(argv: readonly string[], { cwd, env, input }: RunOptions): Started {
  const [command = '', ...args] = argv
  const child = spawn(command, args, { cwd, env })
  const output = { stdout: '', stderr: '' }
  const waiting = new Set<() => void>()
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk: Buffer) => {
      output[name] += chunk.toString()
      for (const look of waiting) look()
    })
  }
  child.stdin.on('error', () => undefined)
  if (input !== undefined) child.stdin.end(input)
  const { promise: ended, resolve } = Promise.withResolvers<Ended>()
  child.on('close', (code, signal) => {
    resolve({ code: code ?? 128 + (signalNumbers[signal ?? ''] ?? 0), ...output })
  })
  const said: Started['said'] = (text) => {
    const { promise, resolve: found, reject } = Promise.withResolvers<void>()
    const look = (): void => {
      if (!(output.stdout + output.stderr).includes(text)) return
      waiting.delete(look)
      found()
    }
    waiting.add(look)
    look()
    void ended.then((end) => reject(new Error(`never said ${text}\n${describeEnd(argv, end)}`)))
    return promise
  }
  return { pid: child.pid ?? 0, ended, said, kill: (signal) => void child.kill(signal) }
}

/** What the fault left anywhere: containers, volumes, mounts, processes, cgroups, records, locks, files, temporary files. */
export async function listResidue(holm: FaultHolm, host = engine): Promise<string[]> {
  const { folder, home, namespace, env } = holm
  const files = listFolder(home, ['cache'])
    .filter((line) => /\/(environments|trash)\/.|\/volumes\/./.test(line) || / (file|link) /.test(line))
    .filter((line) => !/^data\/(bases\/|state\.db)/.test(line))
    // What a provider keeps for all environments: disks made of bases, what the machine can do, networks that are none.
    .filter((line) => !/^data\/plugins-data\/[^/]+\/(\.bases\/|[^/]+\/(layering|networks)\.json )/.test(line))
  const rows = existsSync(join(home, 'data', 'state.db')) ? listStateRows(home) : []
  return [
    ...(await listEngineTraces(host, namespace)),
    ...listMachineTraces(folder),
    ...listCgroups(namespace),
    ...rows,
    ...files,
    ...readdirSync(env['TMPDIR'] ?? '').map((name) => `temporary ${name}`),
  ]
}

/** Depth 4 is deeper than any provider goes; a group that vanishes meanwhile is no group. */
function listCgroups(text: string, folder = '/sys/fs/cgroup', depth = 4): string[] {
  if (depth === 0 || !existsSync(folder)) return []
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap(({ name }) => {
        const path = join(folder, name)
        return name.includes(text) ? [`cgroup ${path}`] : listCgroups(text, path, depth - 1)
      })
  } catch {
    return []
  }
}

export interface Subject {
  readonly provider: 'docker' | 'sandbox'
  readonly base: string
  readonly missing: () => string | undefined
}

/** The providers that the faults are tried on. */
export const subjects: readonly Subject[] = [
  { provider: 'sandbox', base: 'host', missing: missingBuild },
  {
    provider: 'docker',
    base: 'debian-12',
    missing: () => missingBuild() ?? missingDocker() ?? missingRootfs(),
  },
]

/** Writes a blueprint for the subject, and makes its base known. */
export async function prepare(holm: FaultHolm, { provider, base }: Subject, rest = ''): Promise<void> {
  holm.write('holm.yaml', `name: one\nbase: ${base}\nprovider: ${provider}\n${rest}`)
  if (base === 'host' || existsSync(join(holm.home, 'data', 'bases'))) return
  await expectCode(holm, ['base', 'add', base, process.env['HOLM_TEST_ROOTFS'] ?? ''], 0)
}

export async function expectCode(
  holm: FaultHolm,
  args: readonly string[],
  expected: number | (RunOptions & { readonly exit: number }),
): Promise<Ended> {
  const { exit, ...options } = typeof expected === 'number' ? { exit: expected } : expected
  const ended = await holm.run(args, options)
  expect(ended.code, describeEnd(['holm', ...args], ended)).toBe(exit)
  return ended
}

export interface ExpectedError {
  readonly exit: number
  readonly code: string
  /** Parts of the message, the offending value among them. */
  readonly says: readonly string[]
  readonly hint: string
}

/** The same error for people and with --json: exit code, code, message and hint. */
export async function expectError(
  holm: FaultHolm,
  args: readonly string[],
  { code, says, hint, ...options }: ExpectedError & RunOptions,
): Promise<void> {
  const text = await expectCode(holm, args, options)
  expect(text.stdout).toBe('')
  for (const part of [`error ${code}: `, ...says, hint]) expect(text.stderr).toContain(part)
  const json = await expectCode(holm, [args[0] ?? '', '--json', ...args.slice(1)], options)
  expectDocument(json, { exit: options.exit, code, says, hint })
}

export function expectDocument(ended: Ended, { exit, code, says, hint }: ExpectedError): void {
  expect(ended.code, describeEnd([], ended)).toBe(exit)
  const { error } = JSON.parse(ended.stdout) as { error: { code: string; message: string; hint: string } }
  expect(error.code).toBe(code)
  for (const part of says) expect(error.message).toContain(part)
  expect(error.hint).toContain(hint)
}
