/**
 * What runs inside, as root, under whatever /bin/sh there is. Words come as arguments or under neutral variables:
 * nothing of a blueprint is ever part of a script.
 */

/** Of holm inside; gone at every start, as all of /run. */
const place = '/run/holm'

/** Programs inside write here what is to be in the log. */
export const logPipe = `${place}/log`

/**
 * The main process. wsl.exe waits for it, so WSL does not take the distribution for idle; what comes through the pipe
 * goes to its output. $1: token of this start, written last: whoever finds it finds everything else too.
 */
export const holdScript = `umask 022
mkdir -p ${place}/exec && chmod 700 ${place}/exec || exit 1
rm -f ${logPipe} && mkfifo ${logPipe} && chmod 622 ${logPipe} || exit 1
echo $$ >${place}/main
echo "$1" >${place}/boot.new && mv ${place}/boot.new ${place}/boot
exec cat 0<>${logPipe}`

/**
 * Mounts: $1 is how many, then for each its kind, source, target and options; all are shifted away. What cannot be mounted
 * ends the script with 74.
 */
export const mountsPart = `mounts=$1; shift
while [ "$mounts" -gt 0 ]; do
  kind=$1 source=$2 target=$3 options=$4; shift 4; mounts=$((mounts - 1))
  if [ "$kind" = bind ] && [ -e "$source" ] && [ ! -d "$source" ]
  then mkdir -p "$(dirname "$target")" && { [ -e "$target" ] || : >"$target"; }
  else mkdir -p "$target"; fi || { echo "cannot make $target" >&2; exit 74; }
  case $kind in
  bind) mount --bind "$source" "$target" && { [ "$options" != ro ] || mount -o remount,bind,ro "$target"; } ;;
  tmpfs) mount -t tmpfs -o "$options" tmpfs "$target" ;;
  esac || { echo "cannot mount $source at $target" >&2; exit 74; }
done
`

/** Waits for the main process of this start ($1, at most $2 tenths of a second; 75 when it does not come), then mounts. */
export const startScript = `token=$1 left=$2; shift 2
while [ "$(cat ${place}/boot 2>/dev/null)" != "$token" ]; do
  [ "$left" -gt 0 ] || { echo "the main process did not start" >&2; exit 75; }
  left=$((left - 1)); sleep 0.1
done
${mountsPart}`

/** Shows the folder $1 of this distribution to all others, at $2 in the tmpfs that they share. */
export const shareScript = `mkdir -p "$(dirname "$2")" || exit 1
if [ -d "$1" ]; then mkdir -p "$2"; elif [ -e "$1" ]; then : >>"$2"; else echo "$1 does not exist" >&2; exit 2; fi
grep -qF " $2 " /proc/self/mountinfo || mount --bind "$1" "$2"`

/** Takes back what shareScript did, for every name below $1. */
export const unshareScript = `[ -d "$1" ] || exit 0
for each in "$1"/*; do
  [ -e "$each" ] || continue
  while umount "$each" 2>/dev/null; do :; done
  rmdir "$each" 2>/dev/null || { [ -d "$each" ] || rm -f "$each"; }
done
rmdir "$1" 2>/dev/null || [ ! -e "$1" ]`

/**
 * SIGTERM to everything but what WSL itself runs, then waits for their end, at most $1 tenths of a second. The list is
 * made when a loop begins: what the loop starts is not in it.
 */
export const stopScript = `others() {
  for each in /proc/[0-9]*; do
    id=\${each#/proc/}
    [ "$id" -gt 1 ] && [ "$id" != $$ ] || continue
    read -r comm 2>/dev/null <"$each/comm" || continue
    case $comm in init*|SessionLeader|Relay*|plan9|systemd*) continue ;; esac
    found="$found $id"
  done
}
found=; others
[ -z "$found" ] || kill -TERM $found 2>/dev/null
left=$1
while [ "$left" -gt 0 ]; do
  found=; others
  [ -n "$found" ] || exit 0
  left=$((left - 1)); sleep 0.1
done`

/**
 * Starts a program: $1 innerScript, $2 token, $3 "terminal" or "pipes", $4 number of variables, $5 user or empty,
 * $6 folder or empty, then its words. An outer shell stays, because wsl.exe reports a signal's bare number as the exit code, and takes 67
 * and 87 for messages of its own: the outer shell leaves those, and 255, in a file and ends with 255.
 */
export const execScript = `inner=$1 token=$2 mode=$3; shift
trap : HUP INT QUIT TERM
mkdir -p ${place}/exec && chmod 700 ${place}/exec
if [ "$mode" = pipes ] && command -v setsid >/dev/null; then setsid /bin/sh -c "$inner" holm-exec "$@"
else /bin/sh -c "$inner" holm-exec "$@"; fi
code=$?
rm -f "${place}/exec/$token"
case $code in 67|87|255) echo $code >"${place}/exec/$token.code"; exit 255 ;; esac
exit $code`

/**
 * The shell that becomes the program. It finds the account, takes over the variables (exported by the shell itself:
 * no list of processes shows them), drops to the user and enters the folder.
 */
export const innerScript = `echo $$ >"${place}/exec/$1"
count=$3 user=$4 folder=$5; shift 5
wanted=\${user%%:*} uid= gid= home= shell=
[ -n "$wanted" ] || wanted=0
while IFS=: read -r name _ id group _ dir sh; do
  if [ "$name" = "$wanted" ] || [ "$id" = "$wanted" ]; then uid=$id gid=$group home=$dir shell=$sh wanted=$name; break; fi
done </etc/passwd
if [ -z "$uid" ]; then
  case $wanted in *[!0-9]*) echo "holm: there is no user $wanted inside" >&2; exit 126 ;; esac
  uid=$wanted gid=$wanted home=/ shell=/bin/sh
fi
case $user in *:*)
  gid=\${user#*:}
  case $gid in *[!0-9]*) while IFS=: read -r name _ id _; do [ "$name" != "$gid" ] || { gid=$id; break; }; done </etc/group ;; esac
  case $gid in ''|*[!0-9]*) echo "holm: there is no group \${user#*:} inside" >&2; exit 126 ;; esac ;;
esac
export HOME="$home" USER="$wanted" LOGNAME="$wanted" SHELL="\${shell:-/bin/sh}" LANG=C.UTF-8
unset WSLENV WSL_UTF8 WSL_DISABLE_WARNINGS
index=0
while [ "$index" -lt "$count" ]; do
  eval "value=\\$HOLM_V$index"; unset "HOLM_V$index"
  export -- "$value"; index=$((index + 1))
done
if [ -z "$folder" ]; then cd "$home" 2>/dev/null || cd /
elif ! cd "$folder"; then exit 126; fi
unset OLDPWD
[ "$uid:$gid" != 0:0 ] || exec "$@"
if command -v setpriv >/dev/null && setpriv --help 2>/dev/null | grep -q reuid; then
  if [ "$wanted" != "$uid" ]; then exec setpriv --reuid "$uid" --regid "$gid" --init-groups -- "$@"; fi
  exec setpriv --reuid "$uid" --regid "$gid" --clear-groups -- "$@"
fi
if [ "$wanted" != "$uid" ]; then exec su -p -s /bin/sh "$wanted" -c 'exec "$0" "$@"' -- "$@"; fi
echo "holm: no program here can become user $uid (setpriv of util-linux is missing)" >&2; exit 126`

/**
 * Signals the program of token $1 with $2: its group where it leads one, otherwise itself and all below it. Waits a
 * moment for a program that is about to start.
 */
export const killScript = `file=${place}/exec/$1 left=20
while [ ! -s "$file" ] && [ "$left" -gt 0 ]; do left=$((left - 1)); sleep 0.05; done
id=$(cat "$file" 2>/dev/null) || exit 0
[ -n "$id" ] || exit 0
below() {
  for each in /proc/[0-9]*; do
    parent=; while read -r key value; do [ "$key" != PPid: ] || { parent=$value; break; }; done 2>/dev/null <"$each/status"
    [ "$parent" != "$1" ] || { echo "\${each#/proc/}"; (below "\${each#/proc/}"); }
  done
}
if [ "$3" = pipes ] && kill -s "$2" -- "-$id" 2>/dev/null; then exit 0; fi
all=$(below "$id")
kill -s "$2" "$id" $all 2>/dev/null
exit 0`

/** Prints the code that execScript left for token $1, and forgets it. */
export const codeScript = `cat "${place}/exec/$1.code" 2>/dev/null && rm -f "${place}/exec/$1.code"`

/** Writes the standard input to /etc/wsl.conf, unless it is there already. Ends with 10 when something changed. */
export const confScript = `cat >/etc/wsl.conf.holm || exit 1
if cmp -s /etc/wsl.conf.holm /etc/wsl.conf; then rm -f /etc/wsl.conf.holm; exit 0; fi
chmod 644 /etc/wsl.conf.holm && mv /etc/wsl.conf.holm /etc/wsl.conf && exit 10`

/** Two samples of all processes, $1 seconds apart: "<uptime> <ticks> <pages> <count>". Its own shells are left out. */
export const metricsScript = `sample() {
  read -r up _ </proc/uptime
  cat /proc/[0-9]*/stat 2>/dev/null | {
    ticks=0 pages=0 count=0
    while read -r line; do
      set -- \${line##*) }
      ticks=$((ticks + \${12} + \${13})); pages=$((pages + \${22})); count=$((count + 1))
    done
    echo "$up $ticks $pages $count"
  }
}
sample; sleep "$1"; sample`
