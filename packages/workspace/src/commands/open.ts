import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { HolmError } from '@holm/core'
import type { CommandInput, CommandResult, PluginApi } from '@holm/core'
import type { WorkspaceInfo } from '../api.ts'
import { editorNames, findEditor, openingArgv, type Editor } from '../editor.ts'
import type { WorkspaceConfig } from '../options.ts'
import { ask } from '../services/inside.ts'
import { prefixes } from '../ssh/config.ts'
import { defaultNameArg, nameOf, textFlag, type PluginCommand } from './command.ts'

type Api = PluginApi<WorkspaceConfig>

export const open: PluginCommand = {
  id: 'workspace open',
  aliases: ['ws open'],
  summary: 'Open a workspace in an editor that works inside, over ssh.',
  description:
    `The editor is the one of --editor, of $VISUAL, or the first that is there of ${editorNames.join(', ')}. It reaches the workspace by the ` +
    'name that holm ssh-config gave it; what it runs, it runs inside.',
  args: [defaultNameArg],
  flags: {
    editor: { type: 'string', description: 'Program of the editor.' },
    print: { type: 'boolean', description: 'Only tell the command line.' },
  },
  examples: [
    { command: 'holm workspace open fix', description: 'Work on a task in VS Code, Cursor or Zed.' },
  ],
  async run(input, api, workspaces) {
    const { signal } = input
    const shown = await workspaces.show(nameOf(input), { signal })
    const editor = chooseEditor(input, api, shown)
    if (input.flags['print'] === true) return describe(await argvFor(input, editor, shown), false)
    assertIncluded(api)
    const info = shown.status === 'running' ? shown : await workspaces.start(shown.name, { signal })
    await assertServer(input, info)
    const argv = await argvFor(input, editor, info)
    const { code, stderr } = await api.runner.run(argv, { signal, timeoutMs: patienceMs })
    if (code === 0) return describe(argv, true)
    throw new HolmError('HOLM_COMMAND_FAILED', `${argv[0]} ended with ${code}: ${stderr.trim()}`, {
      hint: `Run it by hand to see more: ${argv.join(' ')}`,
    })
  },
}

const patienceMs = 60_000

function chooseEditor(input: CommandInput, { env }: Api, { name, path }: WorkspaceInfo): Editor {
  const wanted = textFlag(input, 'editor')
  const found = findEditor(wanted, env)
  if (found) return found
  const subject = wanted === undefined ? `none of ${editorNames.join(', ')}` : JSON.stringify(wanted)
  throw new HolmError('HOLM_TOOL_MISSING', `${subject} is on PATH and can work over ssh`, {
    hint: `Enter it instead: holm workspace shell ${name}; or edit its files here: ${path}`,
    details: { name, path },
  })
}

/** Without the entry an editor would look for a machine of that name. */
function assertIncluded({ env, paths }: Api): void {
  const config = join(env['HOME'] ?? homedir(), '.ssh', 'config')
  const included = join(paths.data, 'ssh.config')
  if (existsSync(config) && readFileSync(config, 'utf8').includes(included)) return
  throw new HolmError('HOLM_CONFIG_INVALID', `${config} does not know the names of environments`, {
    hint: 'Let holm add them, once: holm ssh-config',
    details: { path: config, included },
  })
}

async function assertServer({ host, signal }: CommandInput, { name }: WorkspaceInfo): Promise<void> {
  const argv = ['/bin/sh', '-c', 'command -v sshd || test -x /usr/sbin/sshd']
  const { code } = await ask((request) => host.exec({ ...request, environment: name, signal }), { argv })
  if (code === 0) return
  throw new HolmError('HOLM_TOOL_MISSING', `sshd is not installed in ${name}`, {
    hint: 'Add openssh-server to the packages of the blueprint, then: holm up --recreate',
    details: { name },
  })
}

async function argvFor(
  { host, signal }: CommandInput,
  editor: Editor,
  { name }: WorkspaceInfo,
): Promise<readonly string[]> {
  const { workdir = '/' } = await host.status(name, { signal })
  return openingArgv(editor, { host: `${prefixes[1]}${name}`, folder: workdir })
}

function describe(argv: readonly string[], opened: boolean): CommandResult {
  return { data: { argv, opened }, text: argv.join(' ') }
}
