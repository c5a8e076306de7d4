import { commandFailed, createLineStream } from './output.ts'
import type { Machine } from './machine.ts'
import type { Reporter } from './inside.ts'
import type { RunAsRoot } from './privilege.ts'

// The script arrives on stdin, is put into a file and runs with stdin closed: a command of the script that reads its
// input would otherwise eat the rest of the script.
const runFile = `
file=$(mktemp /tmp/holm-XXXXXX) || exit 1
trap 'rm -f "$file"' EXIT
trap 'exit 130' INT TERM HUP
cat >"$file" || exit 1
"$@" "$file" </dev/null
`

/** Argument list that runs a script from stdin, ending at its first error: bash where it is there, else sh. */
export function scriptArgv(machine: Pick<Machine, 'programs'>): readonly string[] {
  const shell = machine.programs.has('bash') ? ['bash', '-e', '-o', 'pipefail'] : ['sh', '-e']
  return ['sh', '-c', runFile, 'holm', ...shell]
}

export interface ScriptContext {
  readonly asRoot: RunAsRoot
  readonly machine: Machine
  readonly reporter: Reporter
}

/** Runs the scripts as root, one step each. HOLM_COMMAND_FAILED with the step's name, the code and the last lines. */
export async function runScripts(
  name: 'setup' | 'postInstall',
  scripts: readonly string[],
  { asRoot, machine, reporter }: ScriptContext,
): Promise<void> {
  for (const [index, script] of scripts.entries()) {
    const step = scripts.length === 1 ? name : `${name} ${index + 1}`
    await reporter.step(step, async () => {
      const lines = createLineStream(reporter)
      const input = `${script.replaceAll('\r\n', '\n')}\n`
      const result = await asRoot({ argv: scriptArgv(machine), input }, lines.push)
      lines.flush()
      if (result.code === 0) return
      const hint = `Correct scripts.${name} in the blueprint, then run holm up again.`
      throw commandFailed(`script ${step}`, result, { tail: lines.tail(), hint })
    })
  }
}
