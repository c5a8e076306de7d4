const ownCause = /^holm: (?!ready|waiting|kernel module)/

/** Whether the first program of the machine itself said why it gave up. */
export function gaveUp(text: string): boolean {
  return printable(text).some((line) => ownCause.test(line))
}

/** Why a machine ended, in what its console shows; undefined when it does not say. */
export function parseCause(text: string): string | undefined {
  const lines = printable(text)
  const own = lines.findLast((line) => ownCause.test(line))
  const panic = lines.find((line) => /Kernel panic|Out of memory and no killable/.test(line))
  if (panic !== undefined) return `the kernel gave up: ${panic.replace(/^\[[^\]]*\] /, '')}`
  return own?.replace(/^holm: /, '')
}

export function isReady(text: string): boolean {
  return /^holm: ready\r?$/m.test(text)
}

/** Whether the machine waits for its configuration. */
export function isWaiting(text: string): boolean {
  return /^holm: waiting\r?$/m.test(text)
}

/** The last lines for an error, without control characters. */
export function lastLines(text: string, count = 8): string {
  return printable(text).slice(-count).join('; ')
}

function printable(text: string): string[] {
  return text
    .replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '')
    .split(/[\r\n]+/)
    .map((line) => line.replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '').trim())
    .filter((line) => line !== '')
}
