import { quote } from '../quote.ts'
import { terminalScript, type TerminalEnd } from './terminal-end.ts'

/** Names that a shell sets itself, or refuses to set; others it cannot export. */
const shellNames =
  /^(?:_|PWD|OLDPWD|IFS|OPTIND|OPTARG|LINENO|PPID|UID|EUID|GROUPS|SHELLOPTS|BASHOPTS|RANDOM|SECONDS|PS4)$/

function isPlain(name: string): boolean {
  return /^[A-Za-z_]\w*$/.test(name) && !shellNames.test(name)
}

/**
 * What the entry script reads from its input and evaluates: one line, so that a shell's `read` takes it and nothing behind it. The daemon
 * hands variables over in the words of a program that everybody on this machine can see; this way they are nowhere to be seen.
 */
export function variablesLine(variables: Readonly<Record<string, string>>, program: string): string {
  const entries = Object.entries(variables)
  const exports = entries
    .filter(([name]) => isPlain(name))
    .map(([name, value]) => `export ${name}=${quoteLine(value)}; `)
  const others = entries
    .filter(([name]) => !isPlain(name))
    .map(([name, value]) => quoteLine(`${name}=${value}`))
  // `env` would take a program with "=" in its name for a variable.
  const lead = program.includes('=') ? ` /bin/sh -c 'exec "$0" "$@"'` : ''
  const rest = others.length === 0 ? '' : `set -- env ${others.join(' ')}${lead} "$@"; `
  return `${exports.join('')}${rest}unset holm_line holm_nl OLDPWD\n`
}

/** One word without a line break in it. */
function quoteLine(value: string): string {
  return quote(value).replaceAll('\n', `'"$holm_nl"'`)
}

export interface EntryOptions {
  readonly pty: boolean
  /** Undefined: home, or where it is. */
  readonly cwd: string | undefined
  /** Words in front of the program that make it another user's. */
  readonly identity: readonly string[]
}

const readLine = `holm_nl='\n'; IFS= read -r holm_line; eval "$holm_line"`

/** A raw terminal takes lines of any length and shows nothing of them. */
const readOnTerminal = `holm_tty=$(stty -g 2>/dev/null); stty raw -echo 2>/dev/null; printf 'holm %s %s\\n' "$$" "$PPID"; holm_nl='\n'; IFS= read -r holm_line; stty "$holm_tty" 2>/dev/null; unset holm_tty; eval "$holm_line"; printf 'holm go\\n'`

/**
 * Becomes the program. First it says its process id, on the stream that is not the program's input: whoever started it knows then that it
 * runs, and whom to signal. Positional words: the folder, then the program's own.
 */
export function entryScript({ pty, cwd, identity }: EntryOptions): string {
  const missing = `{ printf 'holm cwd\\n' ${pty ? '' : '>&2'}; exit 126; }`
  const enter = cwd === undefined ? 'cd -- "$1" 2>/dev/null || cd /' : `cd -- "$1" 2>/dev/null || ${missing}`
  const read = pty ? readOnTerminal : `printf 'holm %s\\n' "$$" >&2; ${readLine}`
  const words = identity.map((word) => `${quote(word)} `).join('')
  return `${enter}; shift; ${read}; exec ${words}"$@"`
}

/** The words for the daemon. Without a terminal the program would be in the daemon's own group, which nobody may signal. */
export function entryArgv(
  script: string,
  { terminal, words }: { readonly terminal?: TerminalEnd | undefined; readonly words: readonly string[] },
): string[] {
  if (terminal)
    return ['/bin/sh', '-c', terminalScript, 'holm-exec', terminal.token, script, 'holm-exec', ...words]
  const lead =
    'if command -v setsid >/dev/null 2>&1; then exec setsid /bin/sh -c "$@"; fi; exec /bin/sh -c "$@"'
  return ['/bin/sh', '-c', lead, 'holm-exec', script, 'holm-exec', ...words]
}

/**
 * Signals the group of a process, or its whole session. Builtins of a POSIX shell only. After "pid (any name) ": state, parent, group,
 * session. SIGKILL goes round again for what was forked meanwhile. Words: signal number, process id, 1 for the session, and the leader
 * of both, which only SIGKILL reaches when it is not the process itself.
 */
export const signalScript = `
signal=$1 target=$2 wide=$3 leader=$4 round=0
while :; do
  found=0
  for folder in /proc/[0-9]*; do
    { read -r stat < "$folder/stat"; } 2>/dev/null || continue
    set -- \${stat##*) }
    [ "$1" = Z ] && continue
    [ "$folder" = "/proc/$leader" ] && [ "$leader" != "$target" ] && [ "$signal" != 9 ] && continue
    if [ "$3" = "$leader" ] || [ "$folder" = "/proc/$target" ] || { [ "$wide" = 1 ] && [ "$4" = "$leader" ]; }; then
      kill -s "$signal" "\${folder#/proc/}" 2>/dev/null && found=1
    fi
  done
  round=$((round+1))
  [ "$signal" = 9 ] && [ "$found" = 1 ] && [ "$round" -lt 5 ] || break
done
exit 0`
