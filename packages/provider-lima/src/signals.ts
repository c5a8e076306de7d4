import { constants } from 'node:os'

/** Where Linux, which runs inside, counts differently from macOS. */
const linuxNumbers: Partial<Record<NodeJS.Signals, number>> = {
  SIGBUS: 7,
  SIGUSR1: 10,
  SIGUSR2: 12,
  SIGCHLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
}

export function signalNumber(signal: NodeJS.Signals): number {
  return linuxNumbers[signal] ?? constants.signals[signal]
}
