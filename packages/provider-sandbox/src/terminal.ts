import type { Account } from './passwd.ts'
import { quote } from './quote.ts'
import type { Holder, SandboxRecord } from './record.ts'

/**
 * A terminal that holm opens belongs to this machine's /dev/pts, where nothing inside finds it: `tty`, tmux and screen
 * refuse. So a relay opens a second one in the environment's own /dev/pts, which the anchor's mount namespace shows in
 * the environment's folder, and passes on bytes, size and exit code. Only the relay sees both; nothing that it
 * mounts is seen by anyone else. Without it (no `script` of util-linux) the program gets holm's terminal as it is.
 */
const relayScript = `if mount --bind "$1" /dev/pts 2>/dev/null; then
  case $(script --version 2>/dev/null) in *util-linux*) exec script --quiet --return --command "$2" /dev/null ;; esac
fi
exec sh -c "$2"`

export interface Relay {
  /** Folder of the environment. */
  readonly folder: string
  readonly account: Pick<Account, 'uid'>
}

/** Words that run `words` on a terminal of the environment's own. An ordinary user is in the outer user namespace then. */
export function relayArgv(
  words: readonly string[],
  holder: Holder,
  relay: Relay & { rootless: boolean },
): string[] {
  const { account, folder, rootless } = relay
  // The relay opens it as root: a program of another user opens its own terminal by name, too.
  const owner = rootless || account.uid === 0 ? '' : `chown ${account.uid} /proc/self/fd/0; `
  return [
    'nsenter',
    ...outerUser(holder, rootless),
    `--mount=/proc/${holder.anchor.pid}/ns/mnt`,
    '--',
    'unshare',
    '--mount',
    'sh',
    '-c',
    relayScript,
    'holm-terminal',
    terminalsOf(folder),
    `${owner}exec ${words.map(quote).join(' ')}`,
  ]
}

/** Words for nsenter: without root, mounts and everything else belong to a user namespace that is entered first. */
export function outerUser(holder: Holder, rootless: boolean): string[] {
  return rootless ? [`--user=/proc/${holder.monitor.pid}/ns/user`, '--preserve-credentials'] : []
}

/** Where the launch mounts the terminals of an environment, for itself alone. */
export function terminalsOf(folder: string): string {
  return `${folder}/pts`
}

export function terminalOptions(record: Pick<SandboxRecord, 'caller'>): string {
  return `newinstance,ptmxmode=0666,mode=0620,nosuid,noexec${record.caller.uid === 0 ? ',gid=5' : ''}`
}
