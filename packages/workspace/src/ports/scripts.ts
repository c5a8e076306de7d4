/**
 * What runs inside an environment to see and reach its ports. POSIX sh and the smallest tools alone: busybox has them. Nothing is
 * put into these texts; numbers arrive as arguments.
 */

/** Who has the sockets: a line `owner <inode> <pid> <name>` each. Arguments: inodes. Only processes that the caller may look at. */
export const owners = `
export LC_ALL=C
inodes=" $* "
ls -l /proc/[0-9]*/fd /proc/self/fd 2>/dev/null | while read -r line; do
  case $line in
    /proc/*/fd:) pid=\${line#/proc/}; pid=\${pid%/fd:} ;;
    *'socket:['*']')
      inode=\${line##*socket:[}; inode=\${inode%]}
      case $inodes in *" $inode "*)
        name=; read -r name <"/proc/$pid/comm"
        echo "owner $inode $pid $name" ;;
      esac ;;
  esac
done 2>/dev/null
`

/**
 * Tells what listens, and again whenever that changes: a line \`net <namespace>\`, a line \`socket <address>:<port> <uid> <inode>\`
 * each, those of \`owners\`, and a dot. Ends with its input, so that a killed holm leaves nobody behind. Arguments: the text
 * of \`owners\`, seconds between two looks.
 */
export const watch = `
owners=$1; pause=$2
exec 3<&0
( cat <&3 >/dev/null; kill "$$" ) >/dev/null 2>&1 &
before=none
while :; do
  now=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | while read -r _ local _ state _ _ _ uid _ inode _; do
    [ "$state" = 0A ] && echo "socket $local $uid $inode"
  done)
  if [ "$now" != "$before" ]; then
    before=$now
    echo "net $(readlink /proc/self/ns/net 2>/dev/null)"
    [ -z "$now" ] || echo "$now"
    sh -c "$owners" holm $(echo "$now" | while read -r _ _ _ inode; do echo "$inode"; done)
    echo .
  fi
  sleep "$pause"
done
`

const perl = `use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6); my ($port, $ok, $data) = @ARGV;
for (["127.0.0.1", AF_INET], ["::1", AF_INET6]) {
  my ($host, $family) = @$_; socket(S, $family, SOCK_STREAM, 0) or next; my $to = inet_pton($family, $host);
  last if $ok = connect(S, $family == AF_INET ? pack_sockaddr_in($port, $to) : pack_sockaddr_in6($port, $to));
}
$ok or exit 1; my $parent = $$; $SIG{TERM} = sub { exit 0 if $$ == $parent; die };
sub copy { my ($in, $out) = @_; while (sysread($in, $data, 65536)) { my $at = 0;
  while ($at < length $data) { my $n = syswrite($out, $data, length($data) - $at, $at); defined $n or return; $at += $n } } }
if (my $child = fork) { copy(STDIN, S); shutdown(S, 1); waitpid($child, 0) } else { copy(S, STDOUT); kill TERM => getppid }`

const python = `import socket, sys, threading, os
for host in ("127.0.0.1", "::1"):
  try: s = socket.create_connection((host, int(sys.argv[1]))); break
  except OSError: s = None
if s is None: os._exit(1)
def there():
  while True:
    data = os.read(0, 65536)
    if not data: break
    s.sendall(data)
  s.shutdown(socket.SHUT_WR)
def copy(work):
  try: work()
  except OSError: pass
threading.Thread(target=copy, args=(there,), daemon=True).start()
def back():
  while True:
    data = s.recv(65536)
    if not data: break
    while data: data = data[os.write(1, data):]
copy(back); os._exit(0)`

const node = `const net = require('net'), port = process.argv[1]
const go = (host, next) => net.connect({ host, port, allowHalfOpen: true })
  .once('connect', function () { this.off('error', next); this.on('error', () => process.exit(0)); process.stdin.pipe(this)
    this.on('end', () => process.exitCode = 0).pipe(process.stdout); this.on('end', () => setImmediate(() => process.stdin.destroy())) })
  .once('error', next)
go('127.0.0.1', () => go('::1', () => process.exit(1)))`

/** Joins its input and output to a port of the environment's own loopback, with whatever can do that. Argument: the port. */
export const relay = `
port=$1
have() { command -v "$1" >/dev/null 2>&1; }
if have socat; then
  socat -t 86400 - "TCP4:127.0.0.1:$port" 2>/dev/null && exit 0
  exec socat -t 86400 - "TCP6:[::1]:$port"
fi
have perl && exec perl -e '${perl.replaceAll("'", String.raw`'\''`)}' "$port"
have python3 && exec python3 -c '${python.replaceAll("'", String.raw`'\''`)}' "$port"
have node && exec node -e '${node.replaceAll("'", String.raw`'\''`)}' "$port"
have busybox && exec busybox nc 127.0.0.1 "$port"
if have bash; then
  exec bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1; exec 4<&0; cat <&3 & back=$!; (cat <&4 >&3; sleep 5; kill $back) & wait $back; kill $! 2>/dev/null' holm "$port"
fi
echo 'none of socat, perl, python3, node, busybox and bash is there' >&2
exit 127
`
