import { accessSync, constants } from 'node:fs'
import { basename, delimiter, isAbsolute, join } from 'node:path'

/** An editor that can work on another machine over ssh. */
export interface Editor {
  /** Absolute path. */
  readonly program: string
  readonly kind: 'vscode' | 'zed'
}

const kinds: Readonly<Record<string, Editor['kind']>> = {
  code: 'vscode',
  cursor: 'vscode',
  'code-insiders': 'vscode',
  windsurf: 'vscode',
  zed: 'zed',
}

/** In the order in which they are looked for. */
export const editorNames: readonly string[] = Object.keys(kinds)

type Env = Readonly<Record<string, string | undefined>>

/** The wanted one and no other; without a wish that of $VISUAL where it is one, else the first that is there. */
export function findEditor(wanted: string | undefined, env: Env): Editor | undefined {
  if (wanted !== undefined) return locate(wanted, env)
  // It may have arguments; those are for files of this machine.
  const [visual = ''] = (env['VISUAL'] ?? '').trim().split(/\s+/)
  for (const name of [visual, ...editorNames]) {
    const editor = locate(name, env)
    if (editor) return editor
  }
  return undefined
}

function locate(name: string, env: Env): Editor | undefined {
  const kind = kinds[basename(name)]
  if (kind === undefined) return undefined
  const folders = isAbsolute(name) ? [''] : (env['PATH'] ?? '').split(delimiter).filter(isAbsolute)
  const program = folders.map((folder) => join(folder, name)).find(isProgram)
  return program === undefined ? undefined : { program, kind }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Opens a folder on a host of ssh's configuration. */
export function openingArgv(
  { program, kind }: Editor,
  { host, folder }: { readonly host: string; readonly folder: string },
): readonly string[] {
  if (kind === 'zed') return [program, `ssh://${host}${folder.split('/').map(encodeURIComponent).join('/')}`]
  return [program, '--remote', `ssh-remote+${host}`, folder]
}
