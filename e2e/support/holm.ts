import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../../scripts/root.ts'
import { removeEngineVolumes } from './engine.ts'

/** What a program ended with. */
export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  readonly input?: string
  readonly timeoutMs?: number
}

/** A holm that shares nothing with others on this machine: own home, own namespace. */
export interface TestHolm {
  readonly home: string
  readonly namespace: string
  readonly env: NodeJS.ProcessEnv
  /** Runs `bin/holm`. */
  run(args: readonly string[], options?: RunOptions): Promise<Ended>
  /** The same, and the JSON document it printed; fails the test where it does not exit with 0. */
  json(args: readonly string[], options?: RunOptions): Promise<unknown>
  /** Destroys what a failed test left, and removes the home. */
  dispose(): Promise<void>
}

const cli = join(root, 'bin', 'holm')

/** Why `bin/holm` cannot run here, or undefined. */
export function missingBuild(): string | undefined {
  const built = existsSync(join(root, 'packages', 'cli', 'dist'))
  return built ? undefined : 'the CLI is not built: pnpm build'
}

/** Why nothing can be run on Docker here, or undefined. */
export function missingDocker(): string | undefined {
  return process.env['HOLM_TEST_DOCKER_HOST']
    ? undefined
    : 'HOLM_TEST_DOCKER_HOST is not set: npm test starts an engine'
}

/** Why there is no base to import, or undefined. */
export function missingRootfs(): string | undefined {
  return process.env['HOLM_TEST_ROOTFS'] ? undefined : 'HOLM_TEST_ROOTFS is not set: npm test makes one'
}

export function createTestHolm(): TestHolm {
  const home = makeFolder('holm-e2e-')
  const namespace = `holm-e2e-${home.slice(-6).toLowerCase()}`
  // Compiled code would be kept in the home of each test: none would ever find any.
  const NODE_COMPILE_CACHE = join(tmpdir(), 'node-compile-cache')
  const env = cleanEnv({ HOLM_HOME: home, HOLM_NAMESPACE: namespace, NO_COLOR: '1', NODE_COMPILE_CACHE })
  const run: TestHolm['run'] = (args, options = {}) =>
    runProgram([cli, ...args], { ...options, env: { ...env, ...options.env } })
  return {
    home,
    namespace,
    env,
    run,
    async json(args, options) {
      const ended = await run([...args, '--json'], options)
      if (ended.code !== 0) throw new Error(describeEnd(['holm', ...args], ended))
      return JSON.parse(ended.stdout) as unknown
    },
    async dispose() {
      await run(['destroy', '--all', '--yes', '--volumes'])
      await removeEngineVolumes(process.env['HOLM_TEST_DOCKER_HOST'] ?? '', namespace)
      rmSync(home, { recursive: true, force: true })
    },
  }
}

/** A new folder under the temporary one, as its real path. */
export function makeFolder(prefix: string): string {
  return realpathSync(mkdtempSync(join(tmpdir(), prefix)))
}

/** This process's environment without anything of holm, Docker or the terminal in it. */
function cleanEnv(added: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(HOLM_|DOCKER_|CONTAINERD_|FORCE_COLOR|CI$|NODE_OPTIONS|VITEST|NODE_ENV)/.test(name),
  )
  const engine = process.env['HOLM_TEST_DOCKER_HOST'] ?? 'unix:///nonexistent/docker.sock'
  const containerd = process.env['HOLM_TEST_CONTAINERD_ADDRESS'] ?? '/nonexistent/containerd.sock'
  return { ...Object.fromEntries(kept), DOCKER_HOST: engine, CONTAINERD_ADDRESS: containerd, ...added }
}

/** Runs a program to its end. A program that does not end within the time is killed with all that it started. */
export function runProgram(argv: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const { cwd = root, env = process.env, input = '', timeoutMs = 110_000 } = options
  const [command = '', ...args] = argv
  const { promise, resolve, reject } = Promise.withResolvers<Ended>()
  const child = spawn(command, args, { cwd, env, detached: true })
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
  child.stdout.on('data', (chunk: Buffer) => chunks.stdout.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => chunks.stderr.push(chunk))
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const timer = setTimeout(() => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    reject(
      new Error(
        `${argv.join(' ')} did not end within ${timeoutMs} ms\n${Buffer.concat(chunks.stderr).toString()}`,
      ),
    )
  }, timeoutMs)
  child.on('error', reject)
  child.on('close', (code, signal) => {
    clearTimeout(timer)
    resolve({
      code: code ?? (signal === null ? 1 : 128),
      stdout: Buffer.concat(chunks.stdout).toString(),
      stderr: Buffer.concat(chunks.stderr).toString(),
    })
  })
  return promise
}

/** For messages: what ran, how it ended and what it said. */
export function describeEnd(argv: readonly string[], { code, stdout, stderr }: Ended): string {
  return `$ ${argv.join(' ')}\nexit code ${code}\n${stdout}${stderr}`
}
