export interface MissingProgram {
  readonly code: 126 | 127
  readonly message: string
}

/**
 * An engine answers "101, here are the streams" before it starts the program, and writes why it could not start it into
 * stdout. True output that begins in the same way is told apart by the process id: what never ran has none.
 */
export const startFailurePrefixes: readonly string[] = [
  'OCI runtime exec failed',
  'unable to find user',
  'unable to find group',
]

export function missingProgram(
  output: string,
  info: { readonly pid: number; readonly code: number },
): MissingProgram | undefined {
  if (info.pid !== 0 || !startFailurePrefixes.some((prefix) => output.startsWith(prefix))) return undefined
  return { code: exitCode(output, info.code), message: `${explain(output)}\n` }
}

/** The working folder that is missing is no missing program. */
function exitCode(output: string, engineCode: number): 126 | 127 {
  if (/chdir to cwd|unable to find (user|group)/i.test(output)) return 126
  if (/not found in \$PATH|no such file or directory|not found/i.test(output)) return 127
  return engineCode === 127 ? 127 : 126
}

function explain(output: string): string {
  const text = output
    .replace(
      /^.*?(?:unable to start container process|container_linux\.go:\d+: starting container process caused): /s,
      '',
    )
    .replace(/^OCI runtime exec failed: exec failed: /, '')
    .replace(/: unknown\s*$/, '')
  return `holm: ${text.replaceAll(/\s+/g, ' ').trim()}`
}
