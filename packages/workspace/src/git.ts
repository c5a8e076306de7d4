import { setTimeout } from 'node:timers/promises'
import { HolmError } from '@holm/core'
import type { Runner } from '@holm/core'

export interface GitOptions {
  readonly signal?: AbortSignal | undefined
  /** Codes that are answers, not failures. */
  readonly codes?: readonly number[]
  readonly env?: Readonly<Record<string, string>>
  readonly timeoutMs?: number
  readonly input?: string
  /** Values of git's configuration that win over all others. */
  readonly config?: readonly string[]
}

export interface GitResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** git in a folder. HOLM_COMMAND_FAILED with git's last words for a code that is not among `codes`. */
export interface Git {
  (folder: string, args: readonly string[], options?: GitOptions): Promise<GitResult>
  /** Its output without the line end. */
  text(folder: string, args: readonly string[], options?: GitOptions): Promise<string>
  /** Its output, or undefined when it ends with 1 or 128. */
  ask(folder: string, args: readonly string[], options?: GitOptions): Promise<string | undefined>
}

export function createGit(runner: Runner, env: Readonly<Record<string, string | undefined>>): Git {
  const own = gitEnvironment(env)
  const git = async (
    folder: string,
    args: readonly string[],
    options: GitOptions = {},
  ): Promise<GitResult> => {
    const { signal, codes = [], timeoutMs, config = [], input } = options
    const run = (): Promise<GitResult> =>
      runner.run(['git', ...config.flatMap((value) => ['-c', value]), ...args], {
        cwd: folder,
        env: { ...own, ...options.env },
        ...(signal && { signal }),
        ...(timeoutMs !== undefined && { timeoutMs }),
        ...(input !== undefined && { input }),
      })
    let result = await run()
    for (let left = tries; left > 0 && isHalfRead(result); left -= 1) {
      await setTimeout(pauseMs)
      result = await run()
    }
    if (result.code === 0 || codes.includes(result.code)) return result
    throw failed(args, result)
  }
  return Object.assign(git, {
    text: async (...words: Parameters<Git>) => (await git(...words)).stdout.trimEnd(),
    ask: async (folder: string, args: readonly string[], options: GitOptions = {}) => {
      const { code, stdout } = await git(folder, args, { ...options, codes: [1, 128] })
      return code === 0 ? stdout.trimEnd() : undefined
    },
  })
}

const tries = 100
const pauseMs = 20

/** git met a worktree that another git was just about to write down: it says so before it does anything. */
function isHalfRead({ code, stderr }: GitResult): boolean {
  return code === 128 && /failed to read \S.*worktrees\/.*\/(?:commondir|gitdir|HEAD): Success/.test(stderr)
}

export interface WorktreePlace {
  readonly path: string
  readonly commonDir: string
  /** Folder of git's data for this worktree. */
  readonly gitDir: string
}

/**
 * git on the files of a worktree that others write. Nothing in it says where the repository is, and neither its hooks nor a
 * file system monitor are run; what looks into repositories inside it is for the caller to leave out.
 */
export function gitInside(git: Git, { path, commonDir, gitDir }: WorktreePlace): Git {
  const places = { GIT_DIR: gitDir, GIT_COMMON_DIR: commonDir, GIT_WORK_TREE: path }
  const guarded = (options: GitOptions = {}): GitOptions => ({
    ...options,
    env: { ...options.env, ...places },
    config: ['core.fsmonitor=false', 'core.hooksPath=/dev/null', ...(options.config ?? [])],
  })
  const inside = (folder: string, args: readonly string[], options?: GitOptions) =>
    git(folder, args, guarded(options))
  return Object.assign(inside, {
    text: (folder: string, args: readonly string[], options?: GitOptions) =>
      git.text(folder, args, guarded(options)),
    ask: (folder: string, args: readonly string[], options?: GitOptions) =>
      git.ask(folder, args, guarded(options)),
  })
}

function failed(args: readonly string[], { code, stderr, stdout }: GitResult): HolmError {
  const [verb = ''] = args
  const said = (stderr.trim() || stdout.trim()).split('\n').slice(-3).join('\n')
  return new HolmError('HOLM_COMMAND_FAILED', `git ${verb} ended with ${code}: ${said}`, {
    hint: `Run it by hand to see more: git ${args.join(' ')}`,
    details: { argv: ['git', ...args], code },
  })
}

/** The caller's environment without what points git at another repository, and with no way to wait for an answer. */
function gitEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const foreign = /^GIT_(?:DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|ALTERNATE_|COMMON_DIR|NAMESPACE|PREFIX)/
  const kept = Object.entries(env).flatMap(([key, value]) =>
    value === undefined || foreign.test(key) ? [] : [[key, value] as const],
  )
  return {
    ...Object.fromEntries(kept),
    GIT_TERMINAL_PROMPT: '0',
    GIT_SSH_COMMAND: env['GIT_SSH_COMMAND'] ?? 'ssh -o BatchMode=yes',
    GIT_EDITOR: 'true',
    LC_ALL: 'C',
  }
}
