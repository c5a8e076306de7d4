import { lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { HolmError } from '@holm/core'

export const stages = ['pre-start', 'post-start', 'pre-stop', 'post-stop'] as const
export type Stage = (typeof stages)[number]

/** One command of a stage; it is started without a shell. */
export interface LifecycleCommand {
  readonly name: string
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly timeoutMs: number
}

export type Lifecycle = Readonly<Record<Stage, readonly LifecycleCommand[]>>

/** Where nexus keeps it, below the worktree. */
export const lifecycleFile = '.nexus/lifecycle.json'

const standardTimeout = '30s'
const mostBytes = 1_000_000

/**
 * Undefined where there is none. A program inside may write it: it is only read, and only where it is a file and not a link,
 * so that nothing else of this machine is.
 */
export function loadLifecycle(worktree: string): Lifecycle | undefined {
  const folder = lstatSync(join(worktree, '.nexus'), { throwIfNoEntry: false })
  const path = join(worktree, lifecycleFile)
  const file = folder?.isDirectory() ? lstatSync(path, { throwIfNoEntry: false }) : undefined
  if (file === undefined) return undefined
  if (!file.isFile() || file.size > mostBytes) throw wrong(path, 'it is no file, or a very large one')
  let document: unknown
  try {
    document = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw wrong(path, (error as Error).message)
  }
  return parseLifecycle(document, path)
}

type Table = Readonly<Record<string, unknown>>

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** HOLM_CONFIG_INVALID names the place. */
export function parseLifecycle(document: unknown, path: string): Lifecycle {
  const hooks = isTable(document) ? (document['hooks'] ?? {}) : undefined
  if (!isTable(hooks)) throw wrong(path, 'it is no object with "hooks"')
  const odd = Object.keys(hooks).find((key) => !stages.some((stage) => stage === key))
  if (odd !== undefined) throw wrong(path, `hooks.${odd} is unknown; known are ${stages.join(', ')}`)
  const of = (stage: Stage): LifecycleCommand[] => {
    const list = hooks[stage] ?? []
    if (!Array.isArray(list)) throw wrong(path, `hooks.${stage} must be a list`)
    return list.map((item: unknown, index) =>
      parseCommand(item, (problem) => wrong(path, `hooks.${stage}[${index}]${problem}`)),
    )
  }
  return {
    'pre-start': of('pre-start'),
    'post-start': of('post-start'),
    'pre-stop': of('pre-stop'),
    'post-stop': of('post-stop'),
  }
}

function parseCommand(item: unknown, problem: (text: string) => HolmError): LifecycleCommand {
  if (!isTable(item)) throw problem(' must be an object')
  const { name, command, args = [], env = {}, timeout } = item
  if (typeof command !== 'string' || command === '') throw problem('.command must be a program')
  if (!isTexts(args)) throw problem('.args must be a list of texts')
  if (!isTable(env) || !isTexts(Object.values(env))) throw problem('.env must be an object of texts')
  const timeoutMs = parseTimeout(timeout ?? standardTimeout)
  if (timeoutMs === undefined) throw problem('.timeout must be seconds, or a time such as "5m"')
  return {
    name: nameOf(name, command),
    argv: [command, ...args],
    env: env as Record<string, string>,
    timeoutMs,
  }
}

function nameOf(name: unknown, command: string): string {
  return typeof name === 'string' && name !== '' ? name : command
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

const units: Readonly<Record<string, number>> = { '': 1000, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** A number is seconds. */
function parseTimeout(value: unknown): number | undefined {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h)?$/.exec(String(value)) ?? []
  const milliseconds = Math.round(Number(amount) * (units[unit] ?? 0))
  return milliseconds > 0 && milliseconds < 2 ** 31 ? milliseconds : undefined
}

function wrong(path: string, problem: string): HolmError {
  return new HolmError('HOLM_CONFIG_INVALID', `${path}: ${problem}`, {
    hint: 'Correct the file, or remove it.',
    details: { path },
  })
}
