import { HolmError, isHolmError } from '@holm/core'
import type { CommandInput, CommandResult, FlagDefinition, PluginApi } from '@holm/core'
import type { Workspaces } from '../api.ts'
import type { WorkspaceConfig } from '../options.ts'
import { describeEnds, exitCodeOf, type SyncEnd } from '../sync/report.ts'
import { defaultExcludes } from '../sync/rules.ts'
import { openSession, type Direction, type SyncRequest } from '../sync/session.ts'
import { chooseTarget, chooseTargets, findTarget, resolvePaths } from '../sync/target.ts'
import { watchFolders } from '../sync/watch.ts'
import type { PluginCommand } from './command.ts'

type Api = PluginApi<WorkspaceConfig>

const dryRunFlag = {
  type: 'boolean',
  char: 'n',
  description: 'Only say what would be copied.',
} as const satisfies FlagDefinition

const copyFlags = {
  'dry-run': dryRunFlag,
  delete: { type: 'boolean', description: 'Also remove what the side that is copied from does not have.' },
  compress: { type: 'boolean', char: 'z', description: 'Compress on the way.' },
  checksum: {
    type: 'boolean',
    description: 'Read files of the same size and time, too, instead of taking them for equal.',
  },
} as const satisfies Readonly<Record<string, FlagDefinition>>

const workerArg = {
  name: 'worker',
  description: 'Number or name.',
  required: true,
  completes: 'environment',
} as const
const pathsArg = {
  name: 'paths',
  description: 'Files and folders; absent: all.',
  multiple: true,
  completes: 'file',
} as const

interface Job {
  readonly input: CommandInput
  readonly api: Api
  readonly workspaces: Workspaces
  readonly names: readonly string[]
  readonly paths: readonly string[]
  readonly direction: Direction
}

function callOf({ input, workspaces, api }: Pick<Job, 'input' | 'workspaces' | 'api'>) {
  const { host, cwd, signal } = input
  return { host, cwd, signal, workspaces, used: api.env['HOLM_WORKSPACE'] || undefined }
}

/** One that fails stops none of the others. */
async function syncOne(job: Job, name: string): Promise<SyncEnd> {
  try {
    const { input, api } = job
    const target = await findTarget(callOf(job), name)
    if (target.mountedAt !== undefined) return { name, direction: job.direction, mountedAt: target.mountedAt }
    const paths = resolvePaths(target, input.cwd, job.paths)
    const session = await openSession(api, input.host, { target, signal: input.signal })
    try {
      const outcome = await session.run({ ...requestOf(job), paths })
      return { name, direction: job.direction, outcome }
    } finally {
      session.close()
    }
  } catch (error) {
    if (!isHolmError(error) || job.input.signal.aborted) throw error
    const { code, message, hint } = error
    return { name, direction: job.direction, error: { code, message, ...(hint !== undefined && { hint }) } }
  }
}

function requestOf({ input, direction }: Job): SyncRequest {
  const { flags, signal } = input
  return {
    direction,
    signal,
    dryRun: flags['dry-run'] === true,
    remove: flags['delete'] === true,
    checksum: flags['checksum'] === true,
    ...(flags['compress'] === true && { compress: true }),
  }
}

async function syncAll(job: Job): Promise<CommandResult> {
  const ends = await Promise.all(job.names.map((name) => syncOne(job, name)))
  const failed = ends.find(({ error }) => error)?.error
  // One alone fails as any command does.
  if (failed && ends.length === 1) {
    throw new HolmError(failed.code, failed.message, failed.hint === undefined ? {} : { hint: failed.hint })
  }
  const { text, table } = describeEnds(ends, { dryRun: requestOf(job).dryRun === true })
  return { data: ends, text, table, exitCode: exitCodeOf(ends) }
}

export const sync: PluginCommand = {
  id: 'sync',
  summary: 'Copy files into environments that have no mount.',
  description:
    'Whole numbers and names of workspaces and environments are workers, all other words are paths; a path that looks like a worker is ' +
    'written ./1. Without a worker: the workspace one is in, or all workers of the repository. rsync copies, over holm’s own SSH where ' +
    'the environment has sshd; it must be installed on both sides. With --two-way both sides get what the other changed; where both ' +
    'changed a file, each keeps its own and the file is named. What is overwritten and was not agreed on before is kept, and named.',
  args: [{ name: 'workers', description: 'Workers and paths.', multiple: true, completes: 'environment' }],
  flags: {
    ...copyFlags,
    'two-way': {
      type: 'boolean',
      description: 'Bring back what was changed inside, too; nothing is decided silently.',
    },
    watch: { type: 'boolean', char: 'w', description: 'Go on with every change, until Ctrl-C.' },
    interval: {
      type: 'integer',
      char: 'i',
      description: 'With --watch: look inside at least every so many seconds.',
      default: 5,
    },
  },
  examples: [
    { command: 'holm sync 1 2 src', description: 'Send a folder to two workers.' },
    { command: 'holm sync fix --two-way', description: 'Bring both sides up to date.' },
    { command: 'holm sync -n --delete', description: 'Only show what all workers would get and lose.' },
  ],
  async run(input, api, workspaces) {
    const { names, paths } = await chooseTargets(callOf({ input, api, workspaces }), input.words)
    const direction = input.flags['two-way'] === true ? 'both' : 'to'
    const job: Job = { input, api, workspaces, names, paths, direction }
    if (direction === 'both' && input.flags['delete'] === true) {
      throw new HolmError(
        'HOLM_USAGE',
        '--delete is for one way: --two-way brings deletions over by itself',
        {
          hint: 'Leave out --delete.',
        },
      )
    }
    return input.flags['watch'] === true ? follow(job) : syncAll(job)
  },
}

export const syncBack: PluginCommand = {
  id: 'sync-back',
  summary: 'Copy files out of an environment that has no mount.',
  description:
    'All words after the worker are paths. What is overwritten here and was not agreed on before is kept, and named. A path that is ' +
    'named is copied although the configuration leaves it out: holm sync-back 1 dist.',
  args: [workerArg, pathsArg],
  flags: copyFlags,
  examples: [
    { command: 'holm sync-back 1', description: 'What the first worker did, into its worktree.' },
    { command: 'holm sync-back fix dist -n', description: 'Only show what it built.' },
  ],
  async run(input, api, workspaces) {
    const name = await chooseTarget(callOf({ input, api, workspaces }), input.args['worker'] ?? '')
    return syncAll({ input, api, workspaces, names: [name], paths: input.words, direction: 'back' })
  },
}

export const watchBack: PluginCommand = {
  id: 'watch-back',
  summary: 'Copy files out of an environment again and again, until Ctrl-C.',
  args: [workerArg, pathsArg],
  flags: {
    interval: { type: 'integer', char: 'i', description: 'Seconds between two looks.', default: 30 },
  },
  examples: [
    { command: 'holm watch-back 1 -i 10 -q', description: 'Every ten seconds; say only what was copied.' },
  ],
  async run(input, api, workspaces) {
    const name = await chooseTarget(callOf({ input, api, workspaces }), input.args['worker'] ?? '')
    return follow({ input, api, workspaces, names: [name], paths: input.words, direction: 'back' })
  },
}

interface Line {
  readonly stream: 'stdout' | 'stderr'
  readonly text: string
  readonly end?: SyncEnd
}

/** Once, then with every change here (unless only there counts), and at the interval. */
async function follow(job: Job): Promise<CommandResult> {
  const { input } = job
  const seconds = Number(input.flags['interval'])
  if (!(seconds >= 1)) {
    throw new HolmError('HOLM_USAGE', `--interval is ${String(input.flags['interval'])}`, {
      hint: 'Give --interval a number of seconds from 1.',
    })
  }
  const call = callOf(job)
  const targets = await Promise.all(job.names.map((name) => findTarget(call, name)))
  const mounted = targets.filter(({ mountedAt }) => mountedAt !== undefined)
  if (mounted.length === targets.length) return syncAll(job)
  const folders = job.direction === 'back' ? [] : targets.map(({ local }) => local)
  const exclude = job.api.config.sync?.exclude ?? defaultExcludes
  return { data: lines(job, { folders, exclude, intervalMs: seconds * 1000 }), exitCode: 0 }
}

async function* lines(
  job: Job,
  {
    folders,
    exclude,
    intervalMs,
  }: { folders: readonly string[]; exclude: readonly string[]; intervalMs: number },
): AsyncIterable<Line> {
  const { signal } = job.input
  const watcher = await watchFolders(folders, { exclude, signal })
  try {
    while (!signal.aborted) {
      for (const name of job.names) yield* roundOf(job, name)
      if (!signal.aborted) await watcher.next(intervalMs)
    }
  } finally {
    await watcher.close()
  }
}

/** Nothing more is said when Ctrl-C ends it in the middle. */
async function* roundOf(job: Job, name: string): AsyncIterable<Line> {
  const end = await syncOne(job, name).catch((error: unknown) => {
    if (job.input.signal.aborted) return undefined
    throw error
  })
  if (end !== undefined) yield* linesOf(end, job)
}

function* linesOf(end: SyncEnd, { input }: Job): Iterable<Line> {
  const { name, outcome, error, mountedAt } = end
  const stamp = new Date().toTimeString().slice(0, 8)
  const quiet = input.flags['quiet'] === true
  if (error) yield { stream: 'stderr', text: `[${stamp}] ${name}: ${error.code}: ${error.message}`, end }
  if (outcome === undefined) {
    if (mountedAt !== undefined && !quiet)
      yield { stream: 'stderr', text: `${name} has its files mounted`, end }
    return
  }
  const paths = [...outcome.here, ...outcome.there]
  for (const path of paths) yield { stream: 'stdout', text: `[${stamp}] ${path}` }
  for (const text of describeEnds([end], { dryRun: false }).notes) yield { stream: 'stderr', text }
  if (paths.length > 0) yield { stream: 'stdout', text: `Synced ${paths.length} file(s)`, end }
  else if (!quiet) yield { stream: 'stderr', text: 'No changes...', end }
}
