#!/bin/sh
# Prints what is true in here. Plain sh, so that it runs in every environment.

writable() {
  # A directory made and removed again: the answer holds for read-only mounts and missing rights alike.
  mkdir "$1/.holm-hello" 2>/dev/null && rmdir "$1/.holm-hello"
}

count_processes() {
  count=0
  for process in /proc/[0-9]*; do
    [ -d "$process" ] && count=$((count + 1))
  done
  echo "$count"
}

echo "${GREETING:-(no GREETING: this is not running in the environment)}"
echo "machine:    $(uname -n)"
# For a user without a name `id -un` prints the number and fails.
echo "user:       $(id -un 2>/dev/null)"
echo "folder:     $(pwd)"
echo "processes:  $(count_processes) visible"
if writable .; then echo 'this folder: writable'; else echo 'this folder: read-only'; fi
if writable /etc; then echo 'the rest:    writable'; else echo 'the rest:    read-only'; fi
