/**
 * What works on files inside. POSIX sh and the smallest tools alone: busybox has them. Nothing is put into these texts; paths
 * arrive as arguments, `$1` beginning with `./`.
 */

/** How the scripts end where they refuse. */
export const codes = {
  missing: 64,
  outside: 65,
  denied: 66,
  folder: 67,
  notFolder: 68,
  exists: 69,
  notEmpty: 70,
  itself: 71,
  special: 72,
} as const

/** `$p` is the path, `$top` the real folder. The real path of its deepest part that exists has to be below. */
const begin = `
p=$1
top=$(pwd -P)
stays() {
  case $1/ in "\${top%/}"/*) ;; *) exit ${codes.outside} ;; esac
}
resolve() {
  q=$1
  while [ ! -e "$q" ] && [ ! -L "$q" ]; do
    q=\${q%/*}
  done
  if [ -d "$q" ]; then r=$(cd "$q" && pwd -P) || exit ${codes.denied}
  else r=$(readlink -f "$q") || exit ${codes.outside}
  fi
  stays "$r"
}
resolve_entry() {
  case $p in */..|*/.) resolve "$p"; return ;; esac
  d=\${p%/*}
  [ -d "$d" ] || { resolve "$d"; return; }
  r=$(cd "$d" && pwd -P) || exit ${codes.denied}
  stays "$r"
}
while [ "$p" != / ] && [ "\${p%/}" != "$p" ]; do p=\${p%/}; done
`

const facts = `
  stat -L -c '%s %a %Y' "$p" || exit ${codes.denied}
`

export const scripts = {
  begin,
  stat: `
resolve "$p"
[ -e "$p" ] || exit 0
if [ -f "$p" ]; then printf 'f '; elif [ -d "$p" ]; then printf 'd '; else printf 'o '; fi
${facts}`,
  read: `
resolve "$p"
[ -e "$p" ] || exit ${codes.missing}
[ -d "$p" ] && exit ${codes.folder}
[ -f "$p" ] || exit ${codes.special}
[ -r "$p" ] || exit ${codes.denied}
wc -c <"$p" || exit ${codes.denied}
tail -c "+$2" "$p" | head -c "$3"
`,
  write: `
resolve "$p"
[ -d "$p" ] && exit ${codes.folder}
[ -e "$p" ] && [ ! -f "$p" ] && exit ${codes.special}
d=\${p%/*}
[ -e "$d" ] || exit ${codes.missing}
[ -d "$d" ] || exit ${codes.notFolder}
if [ -e "$p" ]; then
  [ "$2" = create ] && exit ${codes.exists}
  [ -w "$p" ] || exit ${codes.denied}
else
  [ -w "$d" ] || exit ${codes.denied}
fi
case $2 in
  append) cat >>"$p" ;;
  create) set -C; cat >"$p" ;;
  *) cat >"$p" ;;
esac || exit 1
wc -c <"$p"
`,
  list: `
resolve "$p"
[ -e "$p" ] || exit ${codes.missing}
[ -d "$p" ] || exit ${codes.notFolder}
cd "$p" || exit ${codes.denied}
for f in * .*; do
  case $f in .|..) continue ;; esac
  if [ -L "$f" ]; then t=l; elif [ -f "$f" ]; then t=f; elif [ -d "$f" ]; then t=d; elif [ -e "$f" ]; then t=o; else continue; fi
  printf '%s%s\\0' "$t" "$f"
done
`,
  makeFolder: `
resolve "$p"
if [ -e "$p" ] || [ -L "$p" ]; then
  [ -d "$p" ] && [ "$2" = yes ] && exit 0
  exit ${codes.exists}
fi
case $p in */../*|*/..) exit ${codes.missing} ;; esac
if [ "$2" = yes ]; then mkdir -p "$p" || exit 1
else
  [ -d "\${p%/*}" ] || exit ${codes.missing}
  mkdir "$p" || exit 1
fi
echo made
`,
  remove: `
resolve_entry
[ -e "$p" ] || [ -L "$p" ] || exit 0
if [ -L "$p" ] || [ ! -d "$p" ]; then rm -f "$p" || exit 1
else
  [ "$(cd "$p" && pwd -P)" = "$top" ] && exit ${codes.itself}
  if [ "$2" = yes ]; then rm -rf "$p" || exit 1
  else rmdir "$p" 2>/dev/null || exit ${codes.notEmpty}
  fi
fi
echo removed
`,
} as const
