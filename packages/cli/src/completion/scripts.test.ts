import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readCompletionScript } from './scripts.ts'
import type { Shell } from './scripts.ts'

// The scripts run in the real shells; only the holm they ask is one that records the words and gives a fixed answer.
let folder = ''
const fakeHolm = `#!/bin/sh
{ for word in "$@"; do printf '[%s]' "$word"; done; echo; } >>"$FAKE_FOLDER/words"
cat "$FAKE_FOLDER/answer"
`

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'holm-completion-'))
  writeFileSync(join(folder, 'holm'), fakeHolm)
  chmodSync(join(folder, 'holm'), 0o755)
  writeFileSync(join(folder, 'my file.yaml'), '')
  for (const shell of ['bash', 'zsh', 'fish', 'powershell'] as const) {
    writeFileSync(join(folder, `script.${shell}`), readCompletionScript(shell))
  }
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function has(program: string): boolean {
  return spawnSync(program, ['--version']).error === undefined
}

/** A skipped suite says why. */
function titleOf(shell: Shell): string {
  return has(shell) ? shell : `${shell} (skipped: ${shell} is not installed)`
}

interface Asked {
  readonly offered: readonly string[]
  /** What the fake holm was called with, a line for each call. */
  readonly words: string
}

function ask(argv: readonly [string, ...string[]], answer: string): Asked {
  writeFileSync(join(folder, 'answer'), answer)
  writeFileSync(join(folder, 'words'), '')
  const [program, ...args] = argv
  const env = {
    ...process.env,
    PATH: `${folder}:${process.env['PATH']}`,
    FAKE_FOLDER: folder,
    HOME: folder,
    TERM: 'dumb',
  }
  const { stdout, stderr, status } = spawnSync(program, args, {
    cwd: folder,
    env,
    encoding: 'utf8',
    timeout: 20_000,
  })
  expect(status, stderr).toBe(0)
  return {
    offered: stdout.split(/\r?\n/).filter((line) => line !== ''),
    words: readFileSync(join(folder, 'words'), 'utf8').trimEnd(),
  }
}

const scriptOf = (shell: Shell): string => join(folder, `script.${shell}`)

describe.skipIf(!has('bash'))(titleOf('bash'), () => {
  const complete = (answer: string, ...words: string[]): Asked =>
    ask(
      [
        'bash',
        '-c',
        'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _holm; for each in "${COMPREPLY[@]}"; do echo "$each"; done',
        scriptOf('bash'),
        ...words,
      ],
      answer,
    )

  it('hands over the words up to the cursor, also an empty one', () => {
    const asked = complete('web\trunning\napi\t\n', 'holm', 'exec', '')
    expect(asked).toEqual({ offered: ['web', 'api'], words: '[__complete][--][exec][]' })
  })

  it('glues --flag=value, which bash splits', () => {
    const glued = complete('--provider=docker\t\n', 'holm', 'up', '--provider', '=', 'd')
    expect(glued).toEqual({ offered: ['docker'], words: '[__complete][--][up][--provider=d]' })
    const bare = complete('--provider=docker\t\n--provider=lxc\t\n', 'holm', 'up', '--provider', '=')
    expect(bare).toEqual({ offered: ['docker', 'lxc'], words: '[__complete][--][up][--provider=]' })
  })

  it('offers files when holm says so, with blanks in their names', () => {
    expect(complete('python-dev\tx\n:files\n', 'holm', 'up', 'my').offered).toEqual([
      'python-dev',
      'my file.yaml',
    ])
  })

  it('is registered for holm', () => {
    expect(ask(['bash', '-c', 'source "$0"; complete -p holm', scriptOf('bash')], '').offered).toEqual([
      'complete -F _holm holm',
    ])
  })
})

describe.skipIf(!has('fish'))(titleOf('fish'), () => {
  const complete = (line: string, answer: string): Asked =>
    ask(['fish', '--no-config', '-c', `source ${scriptOf('fish')}; complete -C '${line}'`], answer)

  it('offers what holm answers, with descriptions', () => {
    const asked = complete('holm status w', 'web\trunning on docker\nworker\t\n')
    expect(asked.offered.map((line) => line.trimEnd())).toEqual(['web\trunning on docker', 'worker'])
    expect(asked.words).toBe('[__complete][--][status][w]')
  })

  it('hands over an empty word and offers files', () => {
    const asked = complete('holm up ', 'python-dev\tx\n:files\n')
    expect(asked.words).toBe('[__complete][--][up][]')
    expect(asked.offered.join('\n')).toContain('my file.yaml')
  })
})

describe.skipIf(!has('zsh'))(titleOf('zsh'), () => {
  // zpty types into a real interactive zsh and reads what it shows.
  const drive = String.raw`
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1=; unsetopt zle_bracketed_paste; setopt no_always_last_prompt; LISTMAX=0; autoload -U compinit; compinit -D -u; source $1; print READ''Y"
zpty -r shell _ $'*READY*'
zpty -n -w shell "$2"$'\t'
zpty -r -t shell _ 2>/dev/null
zpty -w shell "; print DO''NE"
zpty -r shell output $'*DONE*'
print -r -- "$output"
`
  it('completes the one candidate in place and hands over the words', () => {
    const asked = ask(
      ['zsh', '-f', '-c', drive, 'drive', scriptOf('zsh'), 'holm status we'],
      'webserver\trunning on docker\n',
    )
    // The completed line is then run.
    expect(asked.words).toBe('[__complete][--][status][we]\n[status][webserver]')
  })
})

// PowerShell cannot be had from Debian's or npm's packages: its script is only checked for what it must contain.
describe('powershell', () => {
  it('registers a native completer with balanced braces', () => {
    const script = readCompletionScript('powershell')
    expect(script).toContain('Register-ArgumentCompleter -Native -CommandName holm')
    const count = (character: string): number => script.split(character).length
    expect([count('{'), count('(')]).toEqual([count('}'), count(')')])
  })
})
