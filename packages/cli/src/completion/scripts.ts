import { readPackageFile } from '../package-files.ts'

export const shells = ['bash', 'zsh', 'fish', 'powershell'] as const
export type Shell = (typeof shells)[number]

/** Names as each shell's own folder of completions wants them. */
const files: Readonly<Record<Shell, string>> = {
  bash: 'holm.bash',
  zsh: '_holm',
  fish: 'holm.fish',
  powershell: 'holm.ps1',
}

export function readCompletionScript(shell: Shell): string {
  return readPackageFile(`completions/${files[shell]}`)
}
