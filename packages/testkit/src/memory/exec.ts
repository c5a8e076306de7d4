import { existsSync, statSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import { PassThrough, Readable, Writable } from 'node:stream'
import { HolmError } from '@holm/core'
import type { ExecRequest, Process, ProviderContext } from '@holm/core'
import { findProgram, isExecutable, mapInside } from './folders.ts'
import { listMembers } from './groups.ts'
import { assertRunning, type MemoryRuntime } from './runtime.ts'
import type { MemoryRecord } from './store.ts'

/**
 * Really runs the program on this machine, in the environment's folder and with a scrubbed environment. A fake shell would
 * be proved by the kit against itself; a real process is the same thing that every other provider hands out.
 */
export async function execInside(
  runtime: MemoryRuntime,
  { record, request }: { readonly record: MemoryRecord; readonly request: ExecRequest },
  ctx: ProviderContext,
): Promise<Process> {
  assertRunning(record)
  const files = runtime.folders.filesOf(record.id)
  const cwd = resolveFolder(files, request.cwd ?? '/', record.name)
  const program = resolveProgram(request.argv[0] ?? '', cwd, [
    join(files, 'usr/local/bin'),
    runtime.folders.bin,
  ])
  if (typeof program === 'number') return createEndedProcess(program, request)
  const child = await ctx.runner.spawn([program, ...request.argv.slice(1)], {
    cwd,
    env: { ...baseEnvironment(runtime, files), ...record.env, ...request.env },
    signal: ctx.signal,
    stdin: request.stdin ?? 'ignore',
    ...(request.pty === undefined ? {} : { pty: request.pty }),
  })
  const kept = keepOutput(child)
  await trackGroup(runtime, record.name, child)
  return request.stdin === 'pipe' ? kept : { ...kept, stdin: null }
}

function baseEnvironment(runtime: MemoryRuntime, files: string): Record<string, string> {
  return {
    PATH: `${join(files, 'usr/local/bin')}:${runtime.folders.bin}`,
    HOME: join(files, 'root'),
    TMPDIR: join(files, 'tmp'),
  }
}

function resolveFolder(files: string, inside: string, name: string): string {
  const folder = mapInside(files, inside)
  if (existsSync(folder) && statSync(folder).isDirectory()) return folder
  throw new HolmError('HOLM_ENVIRONMENT_FAILED', `environment ${name} has no folder ${inside}`)
}

/** Path of the program, or the code a shell would end with. */
function resolveProgram(name: string, cwd: string, path: readonly string[]): string | 126 | 127 {
  if (!name.includes('/')) return findProgram(name, path) ?? 127
  const found = isAbsolute(name) ? name : resolve(cwd, name)
  if (!existsSync(found)) return 127
  return isExecutable(found) ? found : 126
}

/** A process that never ran. */
function createEndedProcess(code: number, request: ExecRequest): Process {
  const message = code === 127 ? 'not found' : 'permission denied'
  return {
    stdin: request.stdin === 'pipe' ? new Writable({ write: (_chunk, _encoding, done) => done() }) : null,
    stdout: Readable.from([]),
    stderr: Readable.from([Buffer.from(`${request.argv[0] ?? ''}: ${message}\n`)]),
    kill: async () => undefined,
    resize: async () => undefined,
    exited: Promise.resolve({ code }),
  }
}

/** Node throws away what a child wrote when nobody reads by the time it ends: its streams are read from the first moment on. */
function keepOutput(child: Process): Process {
  const stdout = child.stdout.pipe(new PassThrough())
  const stderr = child.stderr.pipe(new PassThrough())
  return { ...child, stdout, stderr }
}

/** Remembers the program's process group, so that `stop` ends also what it leaves in the background. */
async function trackGroup(
  runtime: MemoryRuntime,
  name: string,
  child: Process & { readonly pid: number | undefined },
): Promise<void> {
  const { pid } = child
  if (pid === undefined) return
  await runtime
    .change(name, ({ groups }) => void groups.push(pid))
    .catch(async (error: unknown) => {
      // Removed while the program started: nothing else knows of it.
      await child.kill('SIGKILL')
      throw error
    })
  void child.exited.then(
    () => forgetGroup(runtime, name, pid),
    () => forgetGroup(runtime, name, pid),
  )
}

async function forgetGroup(runtime: MemoryRuntime, name: string, group: number): Promise<void> {
  if (listMembers([group]).length > 0) return
  await runtime
    .change(name, (record) => {
      record.groups = record.groups.filter((each) => each !== group)
    })
    .catch(() => undefined)
}
