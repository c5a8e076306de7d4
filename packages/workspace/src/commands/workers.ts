import { dirname, join, resolve } from 'node:path'
import { HolmError, errorTable } from '@holm/core'
import type { CommandInput, CommandResult, FlagDefinition } from '@holm/core'
import type { Workspaces } from '../api.ts'
import { chooseWorkers, workersOf, type Worker } from '../workers/names.ts'
import { runInWorkers, type RunEnd } from '../workers/run.ts'
import { prepareImage, spawnWorkers, type Spawned } from '../workers/spawn.ts'
import { forceFlag, textFlag, yesFlag, type WorkspaceCommand } from './command.ts'
import { createFlags, optionsOf } from './create.ts'
import { removeAll } from './end.ts'

const workersFlag = {
  type: 'string',
  char: 'w',
  description: 'Only these: numbers or names, separated by commas.',
} as const satisfies FlagDefinition

/** The workers of the repository that the current folder is in. */
async function chosen(
  input: CommandInput,
  workspaces: Workspaces,
): Promise<{ workers: readonly Worker[]; root: string }> {
  const root = await workspaces.repositoryOf(input.cwd)
  return { root, workers: chooseWorkers(workersOf(workspaces.records(), root), textFlag(input, 'workers')) }
}

export const spawn: WorkspaceCommand = {
  id: 'spawn',
  summary: 'Bring this repository to so many workers: numbered workspaces, made at once.',
  description:
    'What the blueprint installs is installed once, into a golden image. Workers that are there are started. One that fails stops ' +
    'none of the others.',
  args: [{ name: 'number', description: 'How many there shall be.', required: true }],
  flags: createFlags,
  examples: [{ command: 'holm spawn 4', description: 'Four places to work, each with its own branch.' }],
  async run(input, workspaces) {
    const count = parseCount(input.args['number'] ?? '')
    const options = await optionsOf(input)
    const repository = await workspaces.repositoryOf(input.cwd)
    await prepareImage(input.host, options)
    const spawned = await spawnWorkers(workspaces, count, { ...options, repository })
    return describeSpawned(spawned)
  },
}

const mostWorkers = 200

function parseCount(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : 0
  if (count >= 1 && count <= mostWorkers) return count
  throw new HolmError(
    'HOLM_USAGE',
    `${JSON.stringify(text)} is not a number of workers from 1 to ${mostWorkers}`,
    {
      hint: 'Say how many: holm spawn 4',
      details: { value: text },
    },
  )
}

function describeSpawned(spawned: readonly Spawned[]): CommandResult {
  const failed = spawned.find(({ error }) => error)?.error
  return {
    data: spawned,
    table: {
      columns: ['worker', 'name', 'status', 'branch', 'ports'],
      rows: spawned.map(({ worker, name, info, error }) => [
        String(worker),
        name,
        error ? `${error.code}: ${error.message}` : (info?.status ?? ''),
        info?.branch ?? '',
        (info?.ports ?? []).map((port) => `${port.host}->${port.container}`).join(' '),
      ]),
    },
    ...(failed && { exitCode: errorTable[failed.code].exit }),
  }
}

export const run: WorkspaceCommand = {
  id: 'run',
  summary: 'Run a command in every worker of this repository.',
  description:
    'One word is given to a shell, several run as they are. What each says is written to a file. A worker that fails stops none ' +
    'of the others; the exit code is 0 only when all ended with 0, and with one worker it is the command’s own.',
  rest: { name: 'COMMAND', description: 'The command, or one string for a shell.', required: true },
  flags: {
    workers: workersFlag,
    parallel: { type: 'boolean', description: 'In all of them at once.' },
    output: {
      type: 'string',
      char: 'o',
      description: 'Folder for what they say. Default .runs/TIME beside the worktrees.',
    },
  },
  examples: [
    { command: 'holm run --parallel -- "npm ci && npm test"', description: 'Test in all workers at once.' },
    {
      command: 'holm run -w 1,3 -o out -- git status --short',
      description: 'In two of them, into a folder.',
    },
  ],
  async run(input, workspaces) {
    const { workers, root } = await chosen(input, workspaces)
    const [first] = workers
    if (first === undefined) throw noWorkers(root)
    const stamp = new Date().toISOString().replaceAll(/[:.]/g, '-')
    const output = resolve(input.cwd, textFlag(input, 'output') ?? join(dirname(first.path), '.runs', stamp))
    const argv = input.rest.length === 1 ? ['/bin/sh', '-c', input.rest[0] ?? ''] : input.rest
    const parallel = input.flags['parallel'] === true
    const ends = await runInWorkers(input.host, workers, {
      argv,
      output,
      parallel,
      signal: input.signal,
      lend: workspaces.lendCredentials,
    })
    const result = describeEnds(ends)
    // An interrupt is the command's own end, whatever the workers' were.
    return input.signal.aborted ? { ...result, exitCode: errorTable.HOLM_INTERRUPTED.exit } : result
  },
}

function noWorkers(root: string): HolmError {
  return new HolmError('HOLM_WORKSPACE_NOT_FOUND', `${root} has no workers`, {
    hint: 'Make some: holm spawn 4',
  })
}

function describeEnds(ends: readonly RunEnd[]): CommandResult {
  const codes = ends.map(({ code }) => code ?? errorTable.HOLM_COMMAND_FAILED.exit)
  const failed = codes.some((code) => code !== 0)
  const [only] = codes
  return {
    data: ends,
    table: {
      columns: ['worker', 'name', 'exit code', 'seconds', 'last line', 'log'],
      rows: ends.map(({ worker, name, code, elapsedMs, lastLine, log }) => [
        String(worker),
        name,
        code === undefined ? 'not started' : String(code),
        (elapsedMs / 1000).toFixed(1),
        lastLine,
        log,
      ]),
    },
    exitCode: ends.length === 1 ? (only ?? 0) : failed ? errorTable.HOLM_COMMAND_FAILED.exit : 0,
  }
}

export const teardown: WorkspaceCommand = {
  id: 'teardown',
  summary: 'Remove the workers of this repository.',
  description:
    'As holm workspace delete does: what is neither merged nor pushed is kept by git under a name that is told.',
  flags: { workers: workersFlag, yes: yesFlag, force: forceFlag },
  examples: [{ command: 'holm teardown --yes', description: 'All of them, without a question.' }],
  async run(input, workspaces) {
    const { workers } = await chosen(input, workspaces)
    if (workers.length === 0) return { data: { removed: [] }, text: 'There are no workers.' }
    const names = workers.map(({ name }) => name)
    if (
      input.flags['yes'] !== true &&
      !(await input.terminal.confirm(`Remove the workers ${names.join(', ')}?`))
    )
      return { data: { removed: [] }, text: 'Nothing removed.' }
    return removeAll(input, workspaces, names)
  },
}
