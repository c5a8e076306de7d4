export interface MissingProgram {
  readonly code: 126 | 127
  readonly message: string
}

/** Pure: why a program could not be started, as a shell would report it; undefined when that is not what went wrong. */
export function missingProgram(message: string): MissingProgram | undefined {
  if (!/OCI runtime exec failed|exec failed|unable to start container process/i.test(message))
    return undefined
  return { code: exitCode(message), message: `holm: ${shorten(message)}\n` }
}

/** The working folder that is missing is no missing program. */
function exitCode(message: string): 126 | 127 {
  if (/chdir to cwd|unable to find (user|group)/i.test(message)) return 126
  return /not found in \$PATH|no such file or directory|not found/i.test(message) ? 127 : 126
}

function shorten(message: string): string {
  return message
    .replace(/^.*?(?:unable to start container process|starting container process caused): /s, '')
    .replace(/^OCI runtime exec failed: exec failed: /, '')
    .replace(/: unknown\s*$/, '')
    .replaceAll(/\s+/g, ' ')
    .trim()
}
