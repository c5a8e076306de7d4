import type { DoctorCheck } from '@holm/core'
import type { BuiltinCommand } from '../builtin.ts'
import { padText } from '../output/width.ts'

export const doctor: BuiltinCommand = {
  id: 'doctor',
  group: 'Machine',
  summary: 'Check runtimes and machine, and say how to fix what is wrong.',
  description: 'Ends with exit code 1 when a check failed; a runtime that is not installed is no failure.',
  examples: [
    { command: 'holm doctor', description: 'See what this machine can run.' },
    { command: 'holm doctor -v', description: 'Also what each runtime cannot isolate.' },
  ],
  async run({ host, signal, terminal }) {
    const checks = await host.doctor({ signal })
    const exitCode = checks.some(({ status }) => status === 'failed') ? 1 : 0
    return { data: checks, text: renderChecks(checks, terminal.verbose), exitCode }
  },
}

function renderChecks(checks: readonly DoctorCheck[], verbose: boolean): string {
  const width = Math.max(0, ...checks.map(({ name }) => name.length))
  const groups = ['runtime', 'machine', 'holm'] as const
  return groups
    .map((group) => ({ group, members: checks.filter((check) => check.group === group) }))
    .filter(({ members }) => members.length > 0)
    .map(({ group, members }) =>
      [group, ...members.flatMap((check) => renderCheck(check, { width, verbose }))].join('\n'),
    )
    .join('\n\n')
}

function renderCheck(check: DoctorCheck, { width, verbose }: { width: number; verbose: boolean }): string[] {
  const indent = ' '.repeat(width + 13)
  return [
    `  ${padText(check.status, 7)}  ${padText(check.name, width)}  ${check.detail}`,
    ...(check.fix === undefined ? [] : [`${indent}fix: ${check.fix}`]),
    ...(verbose ? (check.limitations ?? []).map((limitation) => `${indent}note: ${limitation}`) : []),
  ]
}
