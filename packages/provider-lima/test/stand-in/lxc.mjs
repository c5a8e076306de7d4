// The "virtual machine" of the stand-in: a container of LXC, by its command-line tools.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { home, inspect, instanceDir, pidOf } from './instance.mjs'

/** Folder of LXC's own notes. */
const path = ['-P', `${home}/_lxc`]

/** PID 1: reaps what is left to it, and ends everything when the power button is pressed. */
const init = "trap 'kill -TERM -1; exit 0' PWR TERM; while :; do sleep 1000 & wait $!; done"

function must(argv, options = {}) {
  const { status, stderr, stdout, error } = spawnSync(argv[0], argv.slice(1), {
    encoding: 'utf8',
    ...options,
  })
  if (status === 0) return stdout
  throw new Error(`${argv.join(' ')}: ${error?.message ?? stderr}`)
}

/** Returns the process id of its init. */
export function startContainer(name) {
  const dir = instanceDir(name)
  const root = `${dir}/root`
  mkdirSync(root, { recursive: true })
  mkdirSync(`${home}/_lxc/${name}`, { recursive: true })
  unmountRoot(dir)
  const lower = readFileSync(`${dir}/disk/lower`, 'utf8')
  const layers = `lowerdir=${lower},upperdir=${dir}/disk/upper,workdir=${dir}/disk/work`
  must(['mount', '-t', 'overlay', '-o', layers, 'overlay', root])
  writeFileSync(`${dir}/lxc.conf`, containerConfig(inspect(name), root))
  const start = [
    'lxc-start',
    ...path,
    '-n',
    name,
    '-f',
    `${dir}/lxc.conf`,
    '-o',
    `${dir}/lxc.log`,
    '-l',
    'ERROR',
    '-d',
  ]
  must([...start, '--', '/bin/sh', '-c', init], { stdio: ['ignore', 'ignore', 'pipe'] })
  const pid = Number(must(['lxc-info', ...path, '-n', name, '-p', '-H']).trim())
  must(['nsenter', '-t', String(pid), '-n', 'ip', 'link', 'set', 'lo', 'up'])
  return pid
}

function containerConfig({ config, dir, hostname, memory, cpus }, root) {
  const version2 = existsSync('/sys/fs/cgroup/cgroup.controllers')
  const limits = [
    ...(config.memory
      ? [version2 ? `lxc.cgroup2.memory.max = ${memory}` : `lxc.cgroup.memory.limit_in_bytes = ${memory}`]
      : []),
    ...(config.cpus
      ? [
          version2
            ? `lxc.cgroup2.cpu.max = ${cpus * 100_000} 100000`
            : `lxc.cgroup.cpu.cfs_quota_us = ${cpus * 100_000}`,
        ]
      : []),
  ]
  const mounts = (config.mounts ?? []).map(
    ({ location, mountPoint = location, writable }) =>
      `lxc.mount.entry = ${escape(evaluate(location))} ${escape(evaluate(mountPoint).slice(1))} none bind,create=dir${writable ? '' : ',ro'} 0 0`,
  )
  return [
    `lxc.uts.name = ${hostname.slice(0, 63)}`,
    `lxc.rootfs.path = dir:${root}`,
    'lxc.mount.auto = proc:rw sys:ro',
    'lxc.mount.entry = tmpfs run tmpfs rw,nosuid,nodev,mode=755 0 0',
    ...mounts,
    'lxc.net.0.type = empty',
    'lxc.tty.max = 0',
    'lxc.pty.max = 1024',
    `lxc.console.logfile = ${dir}/serial.log`,
    ...limits,
    '',
  ].join('\n')
}

/** Lima evaluates paths as Go templates; this is the one expression that holm writes. */
const evaluate = (text) => text.replaceAll('{{"{{"}}', '{{')

/** As in fstab(5). */
const escape = (text) =>
  text.replaceAll(/[\\ \t\n#]/g, (one) => `\\${one.charCodeAt(0).toString(8).padStart(3, '0')}`)

/** What sshd gives a login. */
const variables = [
  'HOME=/root',
  'USER=root',
  'LOGNAME=root',
  'SHELL=/bin/bash',
  'PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
]

/** Runs a line as sshd does for a session without a terminal. */
export function attachArgv(name, line) {
  const env = variables.flatMap((each) => ['-v', each])
  return ['lxc-attach', ...path, '-n', name, '--clear-env', ...env, '--', '/bin/bash', '-c', line]
}

/** On a terminal of the container's own. lxc-attach would write line ends of its own on the one it is started on. */
export function terminalArgv(name, line) {
  const enter = ['nsenter', '-t', String(pidOf(name)), '-m', '-u', '-i', '-n', '-p', '-r', '-w', '--']
  return [...enter, 'env', '-i', ...variables, 'script', '-qec', line, '/dev/null']
}

/** Presses the power button. */
export function shutDown(name) {
  spawnSync('lxc-stop', [...path, '-n', name, '-t', '20'])
}

export function killContainer(name) {
  if (existsSync(`${home}/_lxc/${name}`)) spawnSync('lxc-stop', [...path, '-n', name, '-k'])
}

export function unmountRoot(dir) {
  while (existsSync(`${dir}/root`) && readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${dir}/root `))
    if (spawnSync('umount', ['-l', `${dir}/root`]).status !== 0) return
}
