/** Command lines of limactl. Pure. `--tty=false`: it never asks, nor opens an editor. */
const limactl = ['limactl', '--tty=false'] as const

export const versionArgv: readonly string[] = ['limactl', '--version']

export const argv = {
  create: (instance: string, file: string) => [...limactl, 'create', `--name=${instance}`, file],
  validate: (file: string) => [...limactl, 'validate', file],
  list: (instances: readonly string[]) => [...limactl, 'list', '--format=json', ...instances],
  start: (instance: string, seconds: number) => [...limactl, 'start', `--timeout=${seconds}s`, instance],
  stop: (instance: string) => [...limactl, 'stop', instance],
  kill: (instance: string) => [...limactl, 'stop', '--force', instance],
  delete: (instance: string) => [...limactl, 'delete', '--force', instance],
  clone: (from: string, to: string) => [...limactl, 'clone', from, to],
  /** The words become one line of the account's login shell: it quotes each of them, and `cd`s before. */
  shell: (instance: string, words: readonly string[]) => [
    ...limactl,
    'shell',
    '--workdir=/',
    instance,
    ...words,
  ],
  snapshot: (action: 'create' | 'apply' | 'delete', instance: string, tag: string) => [
    ...limactl,
    'snapshot',
    action,
    instance,
    `--tag=${tag}`,
  ],
  snapshots: (instance: string) => [...limactl, 'snapshot', 'list', instance, '--quiet'],
} as const
