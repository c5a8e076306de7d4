import { render, type Operation, type Renderer } from './plan.ts'
import type { SandboxRecord } from './record.ts'

/** Blocks for ever, after it has told descriptor 3 that the root is ready. */
const holdCommand = ['/bin/sh', '-c', 'echo ready >&3; exec 3>&-; exec sleep 2147483647']

/** Command line of bubblewrap. Descriptors 5 (user namespace) and 6 (information) come from the launch script. */
export function bwrapArgv(record: SandboxRecord, plan: readonly Operation[]): string[] {
  return [
    'bwrap',
    ...plan.flatMap((step) => render(bwrapRenderer, step)),
    '--unshare-pid',
    '--unshare-ipc',
    '--unshare-uts',
    ...(record.network === 'none' ? ['--unshare-net'] : []),
    '--hostname',
    record.hostname,
    '--chdir',
    '/',
    '--userns2',
    '5',
    '--info-fd',
    '6',
    '--',
    ...holdCommand,
  ]
}

const bwrapRenderer: Renderer = {
  root: ({ source }) => ['--bind', source, '/'],
  bind: ({ device, readonly, source, target }) => [
    device === true ? '--dev-bind' : readonly ? '--ro-bind' : '--bind',
    source,
    target,
  ],
  tmpfs: ({ mode, sizeBytes, target, readonly }) => [
    '--perms',
    mode,
    ...(sizeBytes === undefined ? [] : ['--size', String(sizeBytes)]),
    '--tmpfs',
    target,
    ...(readonly === true ? ['--remount-ro', target] : []),
  ],
  symlink: ({ to, target }) => ['--symlink', to, target],
  directory: ({ target }) => ['--perms', '0755', '--dir', target],
  proc: () => ['--proc', '/proc'],
  dev: () => ['--dev', '/dev', '--perms', '1777', '--tmpfs', '/dev/shm'],
  seal: () => ['--remount-ro', '/'],
}
