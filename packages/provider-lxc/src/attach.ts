import type { Session } from './session.ts'

/** Words that run what follows inside, with the variables of the call and nothing else changed. */
export function attachArgv(session: Session, name: string): string[] {
  return ['lxc-attach', '-P', session.folder(name), '-n', session.container(name), '--keep-env', '--']
}
