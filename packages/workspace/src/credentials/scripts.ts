/**
 * What runs inside an environment for the time of one session. POSIX sh, mkfifo and what busybox has; printf is a builtin of all
 * their shells, so that no secret is an argument. Nothing is put into these texts.
 */

/** Variable that names the session's folder inside. Its value is no secret: the folder is its owner's alone. */
export const folderVariable = 'HOLM_GIT_CREDENTIALS'

// No quotes and backslashes: sshd could not carry them. git adds what it wants; only `get` is heard.
const ask = [
  'f() { test $1 = get || exit 0',
  `test $${folderVariable} && test -p $${folderVariable}/ask && exec sh $${folderVariable}/helper`,
  'echo holm: git credentials are for sessions of holm workspace exec, shell and run, and of ssh >&2',
  '}',
  'f',
].join('; ')

/** What git inside is configured with. The empty helper first: helpers of the image would write down what they are told. */
export const gitSettings: readonly (readonly [string, string])[] = [
  ['credential.helper', ''],
  ['credential.helper', `!${ask}`],
  // So that git says which repository it is about.
  ['credential.useHttpPath', 'true'],
]

/**
 * What git starts for each question. It writes one line into the FIFO `ask`: its number and the fields, separated by tabs, short enough to be written
 * in one piece. The answer comes through a FIFO of its own, a field a line, up to an empty one; `! text` is for the user. FIFOs are
 * opened for both directions, which never waits for the other side. What git wants kept is not.
 */
export const helper = `
umask 077
dir=\${0%/*}
tab=$(printf '\\t')
asked=$$
while IFS= read -r field && [ -n "$field" ]; do
  case $field in
    *"$tab"*) exit 0 ;;
    protocol=*|host=*|path=*|username=*) asked=$asked$tab$field ;;
  esac
done
[ "\${#asked}" -le 2000 ] || exit 0
if ! kill -0 "$(cat "$dir/pid")" 2>/dev/null; then
  # What is left of it looks, and ends.
  echo 1<>"$dir/ask"
  echo 'holm: git credentials cannot be asked for any more in this session' >&2
  exit 0
fi
rm -f "$dir/$$"
mkfifo "$dir/$$" || exit 0
exec 3<>"$dir/$$"
printf '%s\\n' "$asked" 1<>"$dir/ask"
(
  trap 'kill "$sleeper"; exit 0' TERM
  sleep 45 &
  sleeper=$!
  wait "$sleeper"
  printf '! git credentials: holm did not answer\\n\\n' >&3
) >/dev/null 2>&1 &
late=$!
while IFS= read -r field <&3 && [ -n "$field" ]; do
  case $field in
    '! '*) printf 'holm: %s\\n' "\${field#! }" >&2 ;;
    *) printf '%s\\n' "$field" ;;
  esac
done
kill "$late" 2>/dev/null
exit 0
`

/**
 * Carries questions and answers between the FIFOs and holm, on stdout and stdin, until stdin ends: also when holm is killed.
 * Arguments: the folder, which is new, and the helper's text. A line of stdin is a number, a space and a field; an empty field ends the answer.
 */
export const relay = `
dir=$1
umask 077
mkdir -m 700 "$dir" || exit 1
end() {
  trap - EXIT
  kill -KILL "$!" 2>/dev/null
  for fifo in "$dir"/[0-9]*; do
    [ -p "$fifo" ] && printf '! git credentials: the session of holm ended\\n\\n' 1<>"$fifo"
  done
  rm -rf "$dir"
}
trap end EXIT
trap 'exit 0' HUP INT TERM
mkfifo "$dir/ask" && printf '%s' "$2" >"$dir/helper" && echo $$ >"$dir/pid" || exit 1
exec 3<>"$dir/ask"
echo ready
while IFS= read -r line <&3 && kill -0 $$ && printf '%s\\n' "$line"; do :; done 2>/dev/null &
exec 3>&-
while IFS= read -r line; do
  id=\${line%% *}
  field=\${line#* }
  [ -p "$dir/$id" ] || continue
  printf '%s\\n' "$field" 1<>"$dir/$id"
  [ -n "$field" ] || rm -f "$dir/$id"
done
`
