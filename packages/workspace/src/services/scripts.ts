/**
 * What runs inside an environment. POSIX sh and the smallest tools alone: busybox has them. Nothing is put into these texts;
 * names, folders and commands arrive as arguments.
 */

/** Where services keep what is known of them: gone with the environment, and in no mount. */
export const serviceFolder = '/tmp/.holm-services'

/**
 * Keeps one service running. Arguments: folder, restart policy, then its argv. `$0` is how it is found again among
 * processes. Its last word about the service is in the file `state`: state, exit code, restarts, process id.
 */
export const supervisor = `
dir=$1; policy=$2; shift 2
exec 2>/dev/null
restarts=0; delay=1; child=; ending=
say() { printf '%s %s %s %s\\n' "$1" "$2" "$restarts" "$child" >"$dir/state.new" && mv "$dir/state.new" "$dir/state"; }
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

/** Leaves a supervisor behind. Arguments: its text, folder, mark, restart policy, then the service's argv. */
export const launch = `
text=$1; dir=$2; mark=$3; shift 3
umask 077
mkdir -p "$dir" || exit 1
rm -f "$dir/state"
setsid sh -c "$text" "$mark" "$dir" "$@" >/dev/null 2>>"$dir/log" </dev/null &
echo $! >"$dir/pid"
n=0
while [ ! -f "$dir/state" ] && [ "$n" -lt 100 ]; do n=$((n + 1)); sleep 0.05 2>/dev/null || sleep 1; done
[ -f "$dir/state" ]
`

/** One line for each service that was ever started: name, whether its supervisor lives, and its last word. Argument: the folder. */
export const look = `
for dir in "$1"/*/; do
  [ -f "$dir/pid" ] || continue
  name=\${dir%/}; name=\${name##*/}
  pid=$(cat "$dir/pid"); alive=gone
  [ -r "/proc/$pid/cmdline" ] && tr '\\0' ' ' <"/proc/$pid/cmdline" | grep -q "holm-service-$name " && alive=alive
  printf '%s %s %s\\n' "$name" "$alive" "$(cat "$dir/state" 2>/dev/null)"
done
`

/** Ends a service: SIGTERM to its group, SIGKILL after so many tenths of a second. Arguments: folder, mark, tenths. */
export const halt = `
dir=$1; mark=$2; left=$3
pid=$(cat "$dir/pid" 2>/dev/null) || exit 0
mine() { [ -r "/proc/$pid/cmdline" ] && tr '\\0' ' ' <"/proc/$pid/cmdline" | grep -q "$mark "; }
mine || exit 0
read -r _ _ _ child <"$dir/state"
kill -TERM "$pid" 2>/dev/null
while mine && [ "$left" -gt 0 ]; do left=$((left - 1)); sleep 0.1 2>/dev/null || { sleep 1; left=$((left - 9)); }; done
mine || exit 0
[ -n "$child" ] && kill -KILL "-$child" 2>/dev/null
kill -KILL "$pid" 2>/dev/null
printf 'stopped 137 0 \\n' >"$dir/state"
`

/** Every port that something listens on inside, in hexadecimal; IPv4 and IPv6. */
export const listening = `cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | while read -r _ local _ state _; do
  [ "$state" = 0A ] && echo "\${local##*:}"
done; :`
