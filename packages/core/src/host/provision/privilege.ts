import { HolmError } from '../../errors.ts'
import type { Inside, InsideRequest, InsideResult, OnOutput } from './inside.ts'
import type { Machine } from './machine.ts'

/** Runs something as root inside. `env` survives sudo. */
export type RunAsRoot = (
  request: Pick<InsideRequest, 'argv' | 'env' | 'input'>,
  onOutput?: OnOutput,
) => Promise<InsideResult>

/** Chooses how to be root: as it is, or through sudo without a password. HOLM_COMMAND_FAILED when neither goes. */
export function createRunAsRoot(inside: Inside, machine: Machine): RunAsRoot {
  if (machine.uid === 0) return (request, onOutput) => inside.run(request, onOutput)
  if (!machine.programs.has('sudo')) throw notRoot(machine)
  return ({ argv, env = {}, ...rest }, onOutput) => {
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`)
    return inside.run({ ...rest, argv: ['sudo', '-n', 'env', ...variables, ...argv] }, onOutput)
  }
}

function notRoot(machine: Machine): HolmError {
  return new HolmError(
    'HOLM_COMMAND_FAILED',
    `provisioning needs root inside, but runs as user id ${machine.uid} and sudo is missing`,
    {
      hint: 'Use a base whose default user is root, or one that already has what the blueprint installs.',
      details: { uid: machine.uid },
    },
  )
}
