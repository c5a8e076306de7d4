import type { Operation } from './plan.ts'
import type { SandboxRecord } from './record.ts'

/** Blocks for ever, after it has told descriptor 3 that the root is ready. */
const holdCommand = ['/bin/sh', '-c', 'echo ready >&3; exec 3>&-; exec sleep 2147483647']

/** Command line of bubblewrap. Descriptors 5 (user namespace) and 6 (information) come from the launch script. */
export function bwrapArgv(record: SandboxRecord, plan: readonly Operation[]): string[] {
  return [
    'bwrap',
    ...plan.flatMap(bwrapOperation),
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

function bwrapOperation(step: Operation): string[] {
  switch (step.op) {
    case 'root':
      return ['--bind', step.source, '/']
    case 'bind':
      return [
        step.device === true ? '--dev-bind' : step.readonly ? '--ro-bind' : '--bind',
        step.source,
        step.target,
      ]
    case 'tmpfs':
      return [
        '--perms',
        step.mode,
        ...(step.sizeBytes === undefined ? [] : ['--size', String(step.sizeBytes)]),
        '--tmpfs',
        step.target,
        ...(step.readonly === true ? ['--remount-ro', step.target] : []),
      ]
    case 'symlink':
      return ['--symlink', step.to, step.target]
    case 'directory':
      return ['--perms', '0755', '--dir', step.target]
    case 'proc':
      return ['--proc', '/proc']
    case 'dev':
      return ['--dev', '/dev', '--perms', '1777', '--tmpfs', '/dev/shm']
    case 'seal':
      return ['--remount-ro', '/']
  }
}
