import { HolmError } from '@holm/core'
import type { ErrorCode, RunResult } from '@holm/core'
import { parseFailure } from './parse.ts'

interface Known {
  readonly pattern: RegExp
  readonly code: ErrorCode
  readonly hint: string
}

/** What limactl says to what it means. First match wins. */
const known: readonly Known[] = [
  {
    pattern: /must not run as the root user/i,
    code: 'HOLM_PROVIDER_UNAVAILABLE',
    hint: 'Run holm as an ordinary user: Lima refuses root.',
  },
  {
    pattern: /no space left on device/i,
    code: 'HOLM_DISK_FULL',
    hint: 'Free space on the disk of LIMA_HOME; a virtual machine takes several GiB.',
  },
  {
    pattern: /digest|checksum/i,
    code: 'HOLM_BASE_INVALID',
    hint: 'Compare the digest with the one that the image’s maker publishes.',
  },
  {
    pattern: /template.*(not found|no such file)|_images\//i,
    code: 'HOLM_IMAGE_MISSING',
    hint: 'Update Lima, or name a disk image in providers.lima.image.',
  },
  {
    pattern: /failed to download|HTTP status|no such host|connection refused.*http|dial tcp/i,
    code: 'HOLM_IMAGE_MISSING',
    hint: 'Check the address of the image and the network.',
  },
  {
    pattern: /already exists/i,
    code: 'HOLM_ENVIRONMENT_CONFLICT',
    hint: 'Choose another name, or remove the instance with `limactl delete`.',
  },
  {
    pattern: /address already in use/i,
    code: 'HOLM_PORT_TAKEN',
    hint: 'Free the port, or name another in the blueprint.',
  },
  {
    pattern: /qemu-(system|img)[^:]*:? .*(not found|no such file)/i,
    code: 'HOLM_PROVIDER_UNAVAILABLE',
    hint: 'Install QEMU.',
  },
  {
    pattern: /unimplemented|not implemented/i,
    code: 'HOLM_BLUEPRINT_UNSUPPORTED',
    hint: 'Use the qemu driver: set providers.lima.vmType to qemu.',
  },
]

/** The error for a limactl that ended with another code than 0. Pure. */
export function explainFailure(
  { code, stderr, stdout }: RunResult,
  { action, environment }: { readonly action: string; readonly environment?: string },
): HolmError {
  const said = parseFailure(stderr) || parseFailure(stdout) || `it ended with ${code}`
  const match = known.find(({ pattern }) => pattern.test(said))
  const details = { code, ...(environment !== undefined && { environment }) }
  return new HolmError(match?.code ?? 'HOLM_ENVIRONMENT_FAILED', `limactl could not ${action}: ${said}`, {
    hint: match?.hint ?? 'Look at the files *.log in the instance’s folder, below LIMA_HOME.',
    details,
  })
}

export function notFound(name: string): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_NOT_FOUND', `no environment "${name}" in Lima`, {
    hint: 'Run `holm list` to see what there is.',
  })
}

export function notRunning(name: string): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_NOT_RUNNING', `environment ${name} is not running`, {
    hint: `Start it with \`holm start ${name}\`.`,
  })
}

export function mustStop(name: string, what: string): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_RUNNING', `Lima cannot ${what} ${name} while it runs`, {
    hint: `Stop it first: \`holm stop ${name}\`.`,
  })
}
