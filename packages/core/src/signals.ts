/** An environment is Linux, whatever machine holm runs on: signals have Linux's numbers there. In their order, from 1. */
const names =
  'SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV SIGUSR2 SIGPIPE SIGALRM SIGTERM SIGSTKFLT ' +
  'SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGXCPU SIGXFSZ SIGVTALRM SIGPROF SIGWINCH SIGIO SIGPWR SIGSYS'

const numbers: ReadonlyMap<string, number> = new Map([
  ...names.split(' ').map((name, index) => [name, index + 1] as const),
  ['SIGIOT', 6],
  ['SIGPOLL', 29],
  ['SIGUNUSED', 31],
])

/** Number of a signal inside. What Linux does not know (SIGBREAK, SIGINFO, SIGLOST) ends a program as SIGTERM does. */
export function signalNumber(signal: NodeJS.Signals): number {
  return numbers.get(signal) ?? 15
}

/** Name of a signal inside, as `Exit.signal` has it. */
export function signalName(number: number): NodeJS.Signals | undefined {
  return names.split(' ')[number - 1] as NodeJS.Signals | undefined
}
