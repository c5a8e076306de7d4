/** Where the engine inside writes what it does. */
export const logFile = '/var/log/docker.log'

/**
 * Of root, in any POSIX shell, with what the smallest bases have. Given by environment: DOCKER_USER (who may use it), DOCKER_PLACE
 * (`vm` or `container`) and DOCKER_SECONDS (how long it may take). Prints what somebody should know, a line each; what it
 * fails for, after `cause: `, and the engine's last lines go to stderr.
 */
export const startScript = String.raw`
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
socket=unix:///var/run/docker.sock
log=${logFile}
unset DOCKER_HOST DOCKER_CONTEXT

fail() { echo "cause: $1" >&2; shift; "$@" >&2; exit 4; }
# What it does is told at length, why it ends in one line of another kind.
last_words() { grep -v 'level=\(info\|debug\)' $log | tail -n 4; }
answers() { docker --host "$socket" version >/dev/null 2>&1; }
ended() { state=Z; { read -r _ _ state _ <"/proc/$1/stat"; } 2>/dev/null; [ "$state" = Z ]; }
runs() {
  for file in /proc/[0-9]*/stat; do
    { read -r _ comm state _ <"$file"; } 2>/dev/null || continue
    [ "$comm" = "($1)" ] && [ "$state" != Z ] && return 0
  done
  return 1
}

# Where there is no program for it.
enter_group() {
  case $1 in *[!A-Za-z0-9_.-]*) return 1 ;; esac
  sed "s/^\(docker:[^:]*:[^:]*:..*\)$/\1,$1/; s/^\(docker:[^:]*:[^:]*:\)$/\1$1/" /etc/group >/etc/group.holm &&
    cat /etc/group.holm >/etc/group && rm /etc/group.holm && grep -q "^docker:.*[:,]$1\(,\|\$\)" /etc/group
}

admit() {
  grep -q '^docker:' /etc/group 2>/dev/null || groupadd -r docker 2>/dev/null || addgroup -S docker 2>/dev/null
  user=${'$'}{DOCKER_USER%%:*}
  while IFS=: read -r name _ id _; do [ "$id" = "$user" ] && user=$name; done </etc/passwd
  case $user in '' | root) return ;; esac
  case " $(id -nG "$user" 2>/dev/null) " in *' docker '*) return ;; esac
  usermod -aG docker "$user" 2>/dev/null || addgroup "$user" docker >/dev/null 2>&1 || enter_group "$user" ||
    echo "$user could not be added to the group docker: only root can use Docker inside"
}

# Only what is mounted for this environment alone: it has a cgroup namespace of its own.
open_cgroups() {
  while read -r _ place kind options _; do
    case $kind,$options, in cgroup*,ro,*) mount -o remount,bind,rw "$place" 2>/dev/null ;; esac
  done </proc/mounts
  root=/sys/fs/cgroup
  [ -f $root/cgroup.controllers ] || return 0
  # A group with processes of its own hands nothing down.
  mkdir -p $root/init
  for try in 1 2 3 4 5; do
    while read -r pid; do echo "$pid" >$root/init/cgroup.procs; done <$root/cgroup.procs 2>/dev/null
    left=
    for each in $(cat $root/cgroup.controllers); do
      echo "+$each" >$root/cgroup.subtree_control || left="$left $each"
    done 2>/dev/null
    [ -z "$left" ] && return 0
  done
  echo "limits of$left do not hold for containers inside: their cgroups could not be handed down"
}

# A rule of each kind that the engine writes, in a chain that nothing leads to.
filters() {
  command -v "$1" >/dev/null || return 1
  "$1" -w -t nat -N HOLM-TRY &&
    "$1" -w -t nat -A HOLM-TRY -m addrtype --dst-type LOCAL -j RETURN &&
    "$1" -w -t nat -A HOLM-TRY -s 192.0.2.0/24 -j MASQUERADE
  code=$?
  "$1" -w -t nat -F HOLM-TRY
  "$1" -w -t nat -X HOLM-TRY
  return $code
}

choose_iptables() {
  for each in overlay bridge br_netfilter veth ip_tables iptable_nat nf_tables; do modprobe -q $each; done
  filters iptables && return
  if filters iptables-legacy; then
    mkdir -p /run/holm-docker
    for each in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
      legacy=$(command -v "$(echo $each | sed s/tables/tables-legacy/)") && ln -sf "$legacy" /run/holm-docker/$each
    done
    PATH=/run/holm-docker:$PATH
    return
  fi
  set -- --iptables=false
  rules=$1
} 2>/dev/null

start_alone() {
  if [ "$DOCKER_PLACE" = container ]; then
    # With this the engine leaves AppArmor to the machine.
    export container=docker
    open_cgroups
  fi
  rules=
  choose_iptables
  [ -z "$rules" ] || echo 'iptables does not work inside: containers there have no way out, and reach each other only by address'
  mkdir -p /var/log /var/run /run /tmp
  # What a machine forgets when it ends lies in files here; but where only dockerd ended, its containers are found by them.
  runs containerd || runs containerd-shim || rm -rf /var/run/docker
  runs containerd || rm -f /var/run/docker/containerd/containerd.pid
  rm -f /var/run/docker.pid
  [ ! -f $log ] || [ "$(wc -c <$log)" -lt 10000000 ] || mv $log $log.1
  setsid dockerd --host="$socket" $rules >>$log 2>&1 </dev/null &
  pid=$!
  until answers; do
    ended $pid && fail 'dockerd ended' last_words
    wait_more || fail "dockerd did not answer within $DOCKER_SECONDS s" last_words
  done
}

start_unit() {
  systemctl start docker >/dev/null 2>&1 || fail 'systemctl start docker failed' journalctl -u docker -n 15 --no-pager
  until answers; do
    wait_more || fail "dockerd did not answer within $DOCKER_SECONDS s" journalctl -u docker -n 15 --no-pager
  done
}

end=$(($(date +%s) + DOCKER_SECONDS))
wait_more() { [ "$(date +%s)" -lt $end ] && { sleep 0.1 2>/dev/null || sleep 1; }; }

command -v dockerd >/dev/null && command -v docker >/dev/null || fail 'dockerd or docker is not installed' true
admit
answers && exit 0
if [ -d /run/systemd/system ]; then start_unit
elif runs dockerd; then
  until answers; do
    wait_more || fail "the dockerd that runs did not answer within $DOCKER_SECONDS s" last_words
  done
else start_alone
fi
exit 0
`

/** Ends the engine, and with it what runs in its containers, in order; a machine with an init system does so by itself. */
export const stopScript = `
[ -d /run/systemd/system ] && exit 0
end=$(($(date +%s) + DOCKER_SECONDS))
found() {
  pids=
  for file in /proc/[0-9]*/stat; do
    { read -r pid comm state _ <"$file"; } 2>/dev/null || continue
    [ "$comm" = '(dockerd)' ] && [ "$state" != Z ] && pids="$pids $pid"
  done
  [ -n "$pids" ]
}
found || exit 0
kill -TERM $pids
while found && [ "$(date +%s)" -lt $end ]; do sleep 0.1 2>/dev/null || sleep 1; done
exit 0
`
