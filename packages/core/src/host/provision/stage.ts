import { commandFailed, createLineStream } from './output.ts'
import type { CommandSpec, CommandStage, LifecycleStage } from '../../spec.ts'
import type { Inside, InsideRequest, Reporter } from './inside.ts'

export type StageContext = Pick<InsideRequest, 'user' | 'cwd' | 'env' | 'signal'>

export interface StageOptions {
  readonly stage: LifecycleStage
  readonly commands: CommandStage
  /** The environment; for `initialize` a wrapper of this machine's runner. */
  readonly inside: Inside
  readonly reporter: Reporter
  readonly context?: StageContext
}

/** How a command is started: a string by /bin/sh, a list as it is. */
export function commandArgv(command: CommandSpec): readonly string[] {
  return 'shell' in command ? ['/bin/sh', '-c', command.shell] : command.argv
}

function describeCommand(command: CommandSpec): string {
  return command.name ?? ('shell' in command ? command.shell : command.argv.join(' '))
}

/**
 * Runs one stage of the lifecycle. The commands of a group run in parallel, all to their end; a failed one stops the
 * groups after it and is HOLM_COMMAND_FAILED that names stage and command. Without commands nothing is run or reported.
 */
export async function runStage(options: StageOptions): Promise<void> {
  const { stage, commands, reporter } = options
  if (commands.every((group) => group.length === 0)) return
  await reporter.step(stage, async () => {
    for (const group of commands) {
      const outcomes = await Promise.allSettled(group.map((command) => runCommand(command, options)))
      const failed = outcomes.find((outcome) => outcome.status === 'rejected')
      if (failed) throw failed.reason
    }
  })
}

async function runCommand(command: CommandSpec, options: StageOptions): Promise<void> {
  const lines = createLineStream(options.reporter)
  const result = await options.inside.run({ ...options.context, argv: commandArgv(command) }, lines.push)
  lines.flush()
  if (result.code === 0) return
  const what = `${options.stage} command "${describeCommand(command)}"`
  throw commandFailed(what, result, {
    tail: lines.tail(),
    hint: `Correct ${options.stage} in the blueprint, then run holm up again.`,
  })
}
