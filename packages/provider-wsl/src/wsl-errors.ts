import { HolmError } from '@holm/core'
import type { ErrorCode } from '@holm/core'

/** What wsl.exe says when it fails: a sentence in the language of Windows, and from version 0.70 on a code. */
export interface WslFailure {
  readonly message: string
  /** "Wsl/Service/WSL_E_DISTRO_NOT_FOUND", or undefined for an older one. */
  readonly code: string | undefined
}

/** The line with the code is the last one; only its value is read, for the words before it are translated. */
export function parseFailure(text: string): WslFailure {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
  const found = lines.findLast((line) => codePattern.test(line))
  const old = /\b0x[0-9a-f]{8}\b/i.exec(text)?.[0]
  return {
    message: lines
      .filter((line) => line !== found)
      .join(' ')
      .slice(0, 600),
    code: (found && codePattern.exec(found)?.[1]) ?? old,
  }
}

const codePattern = /[:：]\s*((?:Wsl|Bash|WslConfig|CreateInstance)\/\S+)$/i

interface Meaning {
  readonly pattern: RegExp
  readonly code: ErrorCode
  readonly hint: string
}

const enableHint = 'Run `wsl --install --no-distribution` as administrator and restart Windows.'

/** Last part of a code (name or number) to what it is for holm; the first that matches. */
const meanings: readonly Meaning[] = [
  {
    pattern: /WSL_E_(?:DEFAULT_)?DISTRO_NOT_FOUND|0x80040302|0x8004030e/i,
    code: 'HOLM_ENVIRONMENT_NOT_FOUND',
    hint: 'Run `wsl --list --all` to see which distributions there are.',
  },
  {
    pattern: /ERROR_(?:FILE_EXISTS|ALREADY_EXISTS)|0x80070050|0x800700b7/i,
    code: 'HOLM_ENVIRONMENT_CONFLICT',
    hint: 'A distribution of that name or in that folder exists; remove it with `wsl --unregister`.',
  },
  {
    pattern:
      /WSL_E_IMPORT_FAILED|RegisterDistro\/E_FAIL|RegisterDistro\/0x80004005|WSL_E_NOT_A_LINUX_DISTRO/i,
    code: 'HOLM_BASE_INVALID',
    hint: 'Give a tarball of a whole Linux root filesystem.',
  },
  {
    pattern: /ERROR_DISK_FULL|ERROR_HANDLE_DISK_FULL|0x80070070/i,
    code: 'HOLM_DISK_FULL',
    hint: 'Free space on the drive that holds the distributions.',
  },
  {
    pattern: /WSL_E_USER_NOT_FOUND/i,
    code: 'HOLM_USAGE',
    hint: 'Name a user that exists inside.',
  },
  {
    pattern: /E_ILLEGAL_STATE_CHANGE|WSL_E_DISTRO_NOT_STOPPED|ERROR_SHARING_VIOLATION|0x80070020|0x8000000d/i,
    code: 'HOLM_ENVIRONMENT_BUSY',
    hint: 'Wait until what imports, exports or uses it has finished, then try again.',
  },
  {
    pattern:
      /HCS_E_|WSL_E_(?:VIRTUAL_MACHINE_PLATFORM_REQUIRED|WSL2_NEEDED|OS_NOT_SUPPORTED|WSL_OPTIONAL_COMPONENT_REQUIRED|WSL_NOT_INSTALLED)|CreateVm|0x80370102|0x80370114|0x8007019e|0x80070424|REGDB_E_CLASSNOTREG|0x80040154|0x80040326|0x800701bc/i,
    code: 'HOLM_PROVIDER_UNAVAILABLE',
    hint: enableHint,
  },
  {
    pattern: /E_ACCESSDENIED|0x80070005/i,
    code: 'HOLM_PROVIDER_UNAVAILABLE',
    hint: 'Use an account that may use WSL, not a service without a profile.',
  },
  {
    pattern: /ERROR_(?:FILE|PATH)_NOT_FOUND|0x80070002|0x80070003/i,
    code: 'HOLM_BASE_NOT_FOUND',
    hint: 'Name a file that Windows can read.',
  },
]

/** The error that a failed call stands for. `doing` completes "cannot …". */
export function wslError(
  text: string,
  doing: string,
  fallback: ErrorCode = 'HOLM_ENVIRONMENT_FAILED',
): HolmError {
  const failure = parseFailure(text)
  const meaning = meanings.find(({ pattern }) => failure.code !== undefined && pattern.test(failure.code))
  const said = [
    failure.message || 'wsl.exe gave no reason',
    ...(failure.code ? [`(${failure.code})`] : []),
  ].join(' ')
  return new HolmError(meaning?.code ?? fallback, `cannot ${doing}: ${said}`, {
    hint: meaning?.hint ?? 'Run `wsl --status`, and look for the code in the issues of WSL.',
    details: failure.code === undefined ? {} : { code: failure.code },
  })
}
