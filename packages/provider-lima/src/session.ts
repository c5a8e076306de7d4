import { realpathSync } from 'node:fs'
import path from 'node:path'
import { HolmError, assertNotAborted } from '@holm/core'
import type { ProviderContext, RunResult } from '@holm/core'
import { versionArgv } from './argv.ts'
import { explainFailure } from './failures.ts'
import { instanceName } from './names.ts'
import { isAtLeast, parseVersion, type LimaVersion } from './parse.ts'

export interface LimaSettings {
  readonly namespace: string
  /** Variables of the holm process: where limactl is found, and LIMA_HOME. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly platform: NodeJS.Platform
}

export type Context = Pick<ProviderContext, 'signal' | 'runner'>

export interface RunRequest {
  readonly argv: readonly string[]
  /** What is being done, for errors: "start hello". */
  readonly action: string
  readonly environment?: string
  readonly timeoutMs?: number
  readonly input?: string | Uint8Array
}

/** What every part of the provider works with. Makes nothing until it is used. */
export interface Session {
  readonly settings: LimaSettings
  /** LIMA_HOME, absolute; not made. */
  readonly home: string
  /** Environment of limactl. */
  readonly env: Readonly<Record<string, string>>
  /** Name of an environment's instance. */
  instance(name: string): string
  /** Folder of an instance. */
  folder(instance: string): string
  /** A file of holm's own beside the instances, in a folder that a lock makes; Lima passes over names with a dot in front. */
  ownFile(file: string): string
  /** Runs to the end; a code other than 0 is an error. */
  run(request: RunRequest, ctx: Context): Promise<RunResult>
  /** HOLM_PROVIDER_UNAVAILABLE that names the version which can do it. */
  requireVersion(wanted: string, what: string, ctx: Context): Promise<void>
}

export function createSession(settings: LimaSettings): Session {
  const home = limaHome(settings.env)
  const env = limactlEnv(settings.env)
  let version: Promise<LimaVersion | undefined> | undefined
  const run: Session['run'] = async (request, ctx) => {
    const { argv, action, environment, ...options } = request
    assertNotAborted(ctx.signal)
    const result = await ctx.runner.run(argv, { ...options, env, cwd: '/', signal: ctx.signal })
    if (result.code === 0) return result
    throw explainFailure(result, { action, ...(environment !== undefined && { environment }) })
  }
  return {
    settings,
    home,
    env,
    instance: (name) => instanceName({ ...settings, home }, name),
    folder: (instance) => path.join(home, instance),
    ownFile: (file) => path.join(home, '.holm', file),
    run,
    requireVersion: async (wanted, what, ctx) => {
      version ??= run({ argv: versionArgv, action: 'ask limactl for its version' }, ctx).then(({ stdout }) =>
        parseVersion(stdout),
      )
      const found = await version.catch((error: unknown) => {
        version = undefined
        throw error
      })
      if (found !== undefined && isAtLeast(found, wanted)) return
      throw new HolmError(
        'HOLM_PROVIDER_UNAVAILABLE',
        `${what} needs Lima ${wanted} or newer, this is ${found?.text ?? 'unknown'}`,
        { hint: 'Update Lima.', details: { wanted, found: found?.text ?? '' } },
      )
    },
  }
}

function limaHome(env: LimaSettings['env']): string {
  const home = env['LIMA_HOME'] || path.join(env['HOME'] ?? '/', '.lima')
  try {
    return realpathSync(home)
  } catch {
    return path.resolve(home)
  }
}

/** Variables that change what limactl does with a command, or that its ssh would send inside. */
const withheld = new Set(['COLORTERM', 'LIMA_INSTANCE', 'LIMA_SHELL', 'LIMA_WORKDIR'])

function limactlEnv(env: LimaSettings['env']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && !withheld.has(entry[0]),
    ),
  )
}
