import { privateFolder } from '../services/scripts.ts'

/** The only settings that hold: sshd reads no file of the environment. */
const settings: readonly string[] = [
  'AuthenticationMethods=publickey',
  'PasswordAuthentication=no',
  'KbdInteractiveAuthentication=no',
  'PermitRootLogin=prohibit-password',
  'PermitUserEnvironment=no',
  // The folder is sshd's own, below one that everybody may write.
  'StrictModes=no',
  // Accounts of an image are locked, which sshd minds unless PAM says otherwise.
  'UsePAM=yes',
  'PrintMotd=no',
  'PidFile=none',
  'LogLevel=ERROR',
  'X11Forwarding=no',
  'Subsystem=sftp internal-sftp',
]

export function serverOptions({ forwardAgent }: { readonly forwardAgent: boolean }): string[] {
  return [...settings, `AllowAgentForwarding=${forwardAgent ? 'yes' : 'no'}`].flatMap((setting) => [
    '-o',
    setting,
  ])
}

/**
 * Becomes an sshd for one connection, on stdin and stdout: nothing listens anywhere, and nothing is left running. Keys arrive as
 * variables, because arguments can be seen by everybody. Arguments: sshd's options. What holm sets for programs inside is
 * passed on, unless it has a character that sshd's own quoting cannot carry.
 */
export const serve = `
umask 077
sshd=$(command -v sshd || echo /usr/sbin/sshd)
if [ ! -x "$sshd" ]; then
  echo 'holm: sshd is not installed inside; add openssh-server to the packages of the blueprint' >&2
  exit 127
fi
${privateFolder('ssh')}
put() {
  [ "$(cat "$root/$1" 2>/dev/null)" = "$2" ] && return
  printf '%s\\n' "$2" >"$root/$1.$$" && chmod "$3" "$root/$1.$$" && mv -f "$root/$1.$$" "$root/$1"
}
put host_key "$HOLM_SSH_HOST_KEY" 600
put authorized_keys "$HOLM_SSH_KEYS" 644
unset HOLM_SSH_HOST_KEY HOLM_SSH_KEYS
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
passed=
for name in $(env | sed -n -e 's/^\\(HOLM_[A-Za-z0-9_]*\\)=.*/\\1/p' -e 's/^\\(GIT_CONFIG_[A-Za-z0-9_]*\\)=.*/\\1/p'); do
  eval "value=\\$$name"
  case $value in *'"'*|*'\\'*|*'
'*) continue ;; esac
  passed="$passed \\"$name=$value\\""
done
[ -z "$passed" ] || set -- "$@" -o "SetEnv=$passed"
exec "$sshd" -i -e -f /dev/null -o "HostKey=$root/host_key" -o "AuthorizedKeysFile=$root/authorized_keys" "$@"
`
