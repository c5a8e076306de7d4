import { HolmError } from '@holm/core'
import type { BuiltinCommand } from '../builtin.ts'

export const completion: BuiltinCommand = {
  id: 'completion',
  group: 'holm',
  hostless: true,
  summary: 'Print the completion script of a shell.',
  description: 'Completes commands, flags, and the names of environments, blueprints, providers and bases.',
  args: [{ name: 'shell', description: 'bash, zsh, fish or powershell.', required: true }],
  examples: [
    {
      command: 'holm completion bash > ~/.local/share/bash-completion/completions/holm',
      description: 'Install it for bash.',
    },
    {
      command: 'holm completion zsh > ~/.zfunc/_holm',
      description: 'Install it for zsh, with ~/.zfunc in $fpath.',
    },
    {
      command: 'holm completion fish > ~/.config/fish/completions/holm.fish',
      description: 'Install it for fish.',
    },
    { command: 'holm completion powershell >> $PROFILE', description: 'Install it for PowerShell.' },
  ],
  async run({ args }) {
    const { readCompletionScript, shells } = await import('../completion/scripts.ts')
    const shell = shells.find((name) => name === args['shell'])
    if (shell === undefined) {
      throw new HolmError('HOLM_USAGE', `unknown shell ${JSON.stringify(args['shell'])}`, {
        hint: `Use one of ${shells.join(', ')}.`,
      })
    }
    const script = readCompletionScript(shell)
    return { data: { shell, script }, text: script.trimEnd(), exact: true }
  },
}
