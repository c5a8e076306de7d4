/**
 * What runs inside an environment. POSIX sh and the smallest tools alone: busybox has them. Nothing is put into these texts;
 * names, folders and commands arrive as arguments.
 */

/**
 * Sets `root` to a folder below /tmp that belongs to who runs this, and to nobody else: everybody may write beside it, and what
 * they put in its place (a link, a folder of theirs) is refused. Gone with the environment, and in no mount.
 */
export function privateFolder(name: string): string {
  return `
root=/tmp/.holm-${name}-$(id -u)
mkdir -m 711 "$root" 2>/dev/null
if [ -L "$root" ] || ! [ -d "$root" ] || ! [ -O "$root" ]; then
  echo "holm: $root is not a folder of its own: somebody inside put it there; remove it" >&2
  exit 1
fi
`
}

const place = privateFolder('services')

/** `born PID`: when a process was started, in the kernel's ticks; nothing when it is gone. A number alone may be another's by now. */
const born = `
born() { { read -r line <"/proc/$1/stat"; } 2>/dev/null || return; set -- \${line##*) }; echo "\${20}"; }
`

/** `bury`: ends the service in `$dir` whose supervisor was killed, with all that it started. */
const bury = `${born}
bury() {
  read -r _ _ _ child since <"$dir/state" || return 0
  [ -n "$since" ] && [ "$(born "$child")" = "$since" ] || return 0
  kill -TERM "-$child"
  for n in 1 2 3 4 5 6 7 8 9 10; do
    [ "$(born "$child")" = "$since" ] || break
    sleep 0.1 2>/dev/null || sleep 1
  done
  kill -KILL "-$child"
}
`

/**
 * Keeps one service running. Arguments: folder, restart policy, then its argv. `$0` is how it is found again among
 * processes. Its last word about the service is in the file `state`: state, exit code, restarts, process id and when that was started.
 */
export const supervisor = `${born}
dir=$1; policy=$2; shift 2
exec 2>/dev/null
restarts=0; delay=1; child=; ending=
say() { printf '%s %s %s %s %s\\n' "$1" "$2" "$restarts" "$child" "$(born "$child")" >"$dir/state.new" && mv "$dir/state.new" "$dir/state"; }
end() { ending=1; [ -n "$child" ] && kill -TERM "-$child" 2>/dev/null; }
trap end TERM INT HUP
while :; do
  [ -f "$dir/log" ] && [ "$(wc -c <"$dir/log")" -gt 10485760 ] && mv "$dir/log" "$dir/log.1"
  begin=$(date +%s)
  setsid "$@" >>"$dir/log" 2>&1 </dev/null &
  child=$!
  say running 0
  [ -n "$ending" ] && end
  wait "$child"; code=$?
  while kill -0 "$child" 2>/dev/null; do wait "$child"; code=$?; done
  if [ -n "$ending" ]; then child=; say stopped "$code"; exit 0; fi
  case $policy:$code in
    no:*|on-failure:0) child=; say exited "$code"; exit 0 ;;
  esac
  [ $(($(date +%s) - begin)) -ge 10 ] && delay=1
  child=; say waiting "$code"
  sleep "$delay" & child=$!
  wait "$child"
  if [ -n "$ending" ]; then child=; say stopped "$code"; exit 0; fi
  restarts=$((restarts + 1)); delay=$((delay * 2)); [ "$delay" -gt 30 ] && delay=30
done
`

/** Leaves a supervisor behind. Arguments: its text, the service's name, mark, restart policy, then the service's argv. */
export const launch = `${place}${bury}
text=$1; dir=$root/$2; mark=$3; shift 3
umask 077
mkdir -p "$dir" || exit 1
bury 2>/dev/null
rm -f "$dir/state"
setsid sh -c "$text" "$mark" "$dir" "$@" >/dev/null 2>>"$dir/log" </dev/null &
echo $! >"$dir/pid"
n=0
while [ ! -f "$dir/state" ] && [ "$n" -lt 100 ]; do n=$((n + 1)); sleep 0.05 2>/dev/null || sleep 1; done
[ -f "$dir/state" ]
`

/** One line for each service that was ever started: name, whether its supervisor lives, and its last word. */
export const look = `${place}
for dir in "$root"/*/; do
  [ -f "$dir/pid" ] || continue
  name=\${dir%/}; name=\${name##*/}
  pid=$(cat "$dir/pid"); alive=gone
  [ -r "/proc/$pid/cmdline" ] && tr '\\0' ' ' <"/proc/$pid/cmdline" | grep -q "holm-service-$name " && alive=alive
  printf '%s %s %s\\n' "$name" "$alive" "$(cat "$dir/state" 2>/dev/null)"
done
`

/** Ends a service: SIGTERM to its group, SIGKILL after so many tenths of a second. Arguments: the service's name, mark, tenths. */
export const halt = `${place}${bury}
dir=$root/$1; mark=$2; left=$3
pid=$(cat "$dir/pid" 2>/dev/null) || exit 0
mine() { [ -r "/proc/$pid/cmdline" ] && tr '\\0' ' ' <"/proc/$pid/cmdline" | grep -q "$mark "; }
mine || { bury 2>/dev/null; exit 0; }
read -r _ _ _ child _ <"$dir/state"
kill -TERM "$pid" 2>/dev/null
while mine && [ "$left" -gt 0 ]; do left=$((left - 1)); sleep 0.1 2>/dev/null || { sleep 1; left=$((left - 9)); }; done
mine || exit 0
[ -n "$child" ] && kill -KILL "-$child" 2>/dev/null
kill -KILL "$pid" 2>/dev/null
printf 'stopped 137 0 \\n' >"$dir/state"
`

/** The last lines of a service, in the words of tail. Arguments: the service's name, then tail's. */
export const tailLog = `${place}
name=$1; shift
exec tail "$@" "$root/$name/log"
`

/** Every port that something listens on inside, in hexadecimal; IPv4 and IPv6. */
export const listening = `cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | while read -r _ local _ state _; do
  [ "$state" = 0A ] && echo "\${local##*:}"
done; :`
