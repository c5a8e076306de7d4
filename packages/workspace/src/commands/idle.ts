import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { HolmError, isHolmError } from '@holm/core'
import type { CommandInput, PluginApi } from '@holm/core'
import type { WorkspaceConfig } from '../options.ts'
import { parseIdle } from '../pause/duration.ts'
import { watchIdle, type Sleeper } from '../pause/watcher.ts'
import type { WorkspaceRecord } from '../record.ts'
import { textFlag, type PluginCommand } from './command.ts'

type Api = PluginApi<WorkspaceConfig>

export const idleFlag = {
  type: 'string',
  description:
    'Put it to sleep when nobody used it for so long, such as 30m; "off": never. Absent: as plugin.workspace.idle says.',
} as const

/** HOLM_USAGE for what is no time. */
export function idleOf(input: CommandInput): number | undefined {
  const text = textFlag(input, 'idle')
  if (text === undefined) return undefined
  const milliseconds = parseIdle(text)
  if (milliseconds !== undefined) return milliseconds
  throw new HolmError('HOLM_USAGE', `--idle is ${JSON.stringify(text)}, which is no time`, {
    hint: 'Give --idle a time such as 90s, 30m or 2h, or "off".',
    details: { flag: 'idle', value: text },
  })
}

/** The workspaces that are put to sleep. */
function sleepersOf({ records, config }: Api): Sleeper[] {
  const standard = parseIdle(config.idle ?? 'off') ?? 0
  return records<WorkspaceRecord>('workspace')
    .list()
    .map(({ name, phase, idleMs = standard }) => ({ name, idleMs: phase === 'ready' ? idleMs : 0 }))
    .filter(({ idleMs }) => idleMs > 0)
}

function logOf({ paths }: Api): string {
  return join(paths.data, 'idle.log')
}

/** Leaves a watcher behind where there is anything to watch; one that finds another at work ends at once. */
export async function ensureWatcher(api: Api): Promise<void> {
  const [, program] = process.argv
  if (program === undefined || sleepersOf(api).length === 0) return
  mkdirSync(api.paths.data, { recursive: true, mode: 0o700 })
  await api.runner.spawn([process.execPath, program, 'workspace', 'watch-idle'], {
    detached: { logFile: logOf(api) },
  })
}

export const watchIdleCommand: PluginCommand = {
  id: 'workspace watch-idle',
  summary: 'Put workspaces to sleep that nobody uses.',
  description:
    'Commands that make and start workspaces leave it behind where there are such workspaces; it ends with the last of them.',
  hidden: true,
  examples: [{ command: 'holm workspace watch-idle', description: 'What create and start leave behind.' }],
  async run({ host, signal }, api) {
    const work = () =>
      watchIdle({
        host,
        // Whoever removes the data of holm ends it, too.
        list: () => (existsSync(api.paths.data) ? sleepersOf(api) : []),
        autoStart: api.config.autoStart !== false,
        signal,
        say: (text) => api.log.warn(text),
      })
    try {
      await api.records('idle').hold('watcher', 'watch', work)
      return { data: { watched: true }, text: 'Nothing is left to watch.' }
    } catch (error) {
      if (!isHolmError(error, 'HOLM_ENVIRONMENT_BUSY')) throw error
      return { data: { watched: false }, text: 'Another holm watches already.' }
    }
  },
}
