import type { ExecRequest } from '@holm/core'
import { quote } from './quote.ts'
import type { LimaRecord } from './record.ts'

export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Folder inside for what lasts as long as the machine is up. */
export const guestFolder = '/run/holm'

/** As root, whoever Lima's own account is: it may sudo without a password. */
const asRoot = ['sudo', '-n', 'sh', '-c'] as const

/**
 * Words for `limactl shell` that run a script which arrives on stdin, in front of the program's own input. Words of a
 * command line are seen by every user, here and inside; what a program is told is not among them.
 *
 * The script runs in a session of its own, so that a signal reaches it and its children. The shell around it stays: it
 * turns the death by a signal into a code (ssh would say 255), and notes a 255 of the program's own.
 */
export function pipeWords(script: string, nonce: string): string[] {
  const bytes = String(Buffer.byteLength(script))
  return [...asRoot, pipeShell, 'holm', bytes, nonce]
}

const note = `[ "$c" != 255 ] || { umask 077; mkdir -p ${guestFolder}; : >"${guestFolder}/$n.255"; }`

/** Not in the background: a shell without job control starts that with SIGINT ignored, and nothing inside could trap it. */
const pipeShell = [
  'n=$2',
  'exec 4>&2 2>/dev/null',
  `env -i PATH=${defaultPath} setsid sh -c 'eval "$(dd bs=1 count="$0" 2>/dev/null)"' "$1" 2>&4 4>&-`,
  'c=$?',
  note,
  'exit "$c"',
].join('\n')

/** Words that keep the script inside, for `terminalWords`: a terminal would show it and cut its lines. */
export function storeWords(nonce: string): string[] {
  const shell = `umask 077; mkdir -p ${guestFolder} && cat >"${guestFolder}/$1"`
  return [...asRoot, shell, 'holm', nonce]
}

/** Words that run a stored script on the terminal. Ctrl-C is for the program: the shell around it only waits. */
export function terminalWords(nonce: string): string[] {
  return [...asRoot, terminalShell, 'holm', nonce]
}

const terminalShell = [
  'n=$1',
  'trap : INT QUIT TERM HUP',
  'exec 4>&2 2>/dev/null',
  `env -i PATH=${defaultPath} sh "${guestFolder}/$n" 2>&4 4>&-`,
  'c=$?',
  `rm -f "${guestFolder}/$n"`,
  note,
  'exit "$c"',
].join('\n')

/** Words that end with 0 when the program itself ended with 255; without the note the connection did. */
export function ownCodeWords(nonce: string): string[] {
  return [...asRoot, `rm "${guestFolder}/$1.255"`, 'holm', nonce]
}

/** Words that send a signal: to the program's group, or on a terminal to it and its descendants. */
export function killWords(
  signal: NodeJS.Signals,
  pid: string,
  { terminal }: { readonly terminal: boolean },
): string[] {
  return [...asRoot, terminal ? killTree : 'kill -s "$1" -- "-$2"', 'holm', signal.replace(/^SIG/, ''), pid]
}

const killTree = [
  'tree() {',
  '  echo "$1"',
  '  for f in /proc/[0-9]*; do',
  '    read -r s 2>/dev/null <"$f/stat" || continue',
  '    set -- "$1" ${s##*) }',
  '    [ "$3" != "$1" ] || tree "${f#/proc/}"',
  '  done',
  '}',
  'kill -s "$1" $(tree "$2")',
].join('\n')

export interface Program {
  readonly request: ExecRequest
  readonly record: Pick<LimaRecord, 'env' | 'user' | 'hostname'>
  /** Tells the program's output from what a login shell, ssh or limactl said before. */
  readonly nonce: string
}

/**
 * The script that becomes the program. Its first words on each stream are the nonce, with the process id on one of them.
 * Pure.
 */
export function programScript({ request, record, nonce }: Program): string {
  const variables = { ...record.env, ...request.env }
  const user = request.user ?? record.user ?? 'root'
  return [
    request.pty ? '' : `printf '%s %s\\n' ${nonce} "$$" >&2`,
    `printf '%s %s\\n' ${nonce} "$$"`,
    ...accountLines(user),
    request.cwd === undefined ? 'cd -- "$h" 2>/dev/null || cd /' : `cd -- ${quote(request.cwd)} || exit 126`,
    'export HOME="$h" USER="$n" LOGNAME="$n" SHELL="$s" LANG=C.UTF-8',
    `export PATH=${defaultPath} HOSTNAME=${quote(record.hostname)}`,
    request.pty ? 'export TERM=xterm-256color' : 'unset TERM',
    'unset OLDPWD',
    ...Object.entries(variables)
      .filter(([name]) => isShellName(name))
      .map(([name, value]) => `export ${name}=${quote(value)}`),
    `exec ${user === 'root' || user === '0' ? '' : '$x '}${programWords(request, variables)}`,
    '',
  ].join('\n')
}

function isShellName(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)
}

/** A variable whose name no shell can hold goes through env(1): its value is seen on that command line for a moment. */
function programWords({ argv }: ExecRequest, variables: Readonly<Record<string, string>>): string {
  const odd = Object.entries(variables).filter(([name]) => !isShellName(name))
  const words = odd.map(([name, value]) => `${name}=${value}`)
  return [...(odd.length > 0 ? ['env'] : []), ...words, ...argv].map(quote).join(' ')
}

/** Sets n(ame), h(ome), s(hell), and x: the program that changes the user. Numeric ids need no entry. */
function accountLines(user: string): string[] {
  if (user === 'root' || user === '0') return ['n=root h=/root s=/bin/sh']
  const [account = '', group] = user.split(':')
  return [
    `n= u=${quote(account)} g=${quote(group ?? '')} h=/ s=/bin/sh k=`,
    'while IFS=: read -r a b c d e f i; do',
    '  if [ "$a" = "$u" ] || [ "$c" = "$u" ]; then n=$a u=$c k=$d h=$f s=$i; break; fi',
    'done </etc/passwd',
    `case $u in *[!0-9]*) echo "holm: no user $u" >&2; exit 126;; esac`,
    ': "${n:=$u}" "${s:=/bin/sh}"',
    'if [ -n "$g" ]; then',
    '  while IFS=: read -r a b c d; do [ "$a" != "$g" ] || { g=$c; break; }; done </etc/group',
    '  k=$g o=--clear-groups',
    'elif [ -n "$k" ]; then o=--init-groups',
    'else k=0 o=--clear-groups',
    'fi',
    `case $k in *[!0-9]*) echo "holm: no group $k" >&2; exit 126;; esac`,
    'x=$(command -v setpriv) || { echo "holm: setpriv is missing inside" >&2; exit 126; }',
    'x="$x --reuid=$u --regid=$k $o --"',
  ]
}
