import { access, constants, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { DoctorCheck } from '../../host-api.ts'

export type Finding = Pick<DoctorCheck, 'status' | 'detail' | 'fix' | 'limitations'>

/** One thing the doctor looks at. `look` may throw and may hang: neither reaches the user as more than one line. */
export interface Check {
  readonly group: DoctorCheck['group']
  readonly name: string
  look(): Promise<Finding>
}

/** Milliseconds that one check may take. */
const deadlineMs = 3000

/** Runs the checks at once, each for itself. Never throws. */
export function runChecks(
  checks: readonly Check[],
  limitMs: number = deadlineMs,
): Promise<readonly DoctorCheck[]> {
  return Promise.all(
    checks.map(async ({ group, name, look }) => ({ group, name, ...(await withDeadline(look, limitMs)) })),
  )
}

/** What `look` finds, or that it failed or did not answer. */
export async function withDeadline(
  look: () => Promise<Finding>,
  limitMs: number = deadlineMs,
): Promise<Finding> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Finding>((resolve) => {
    timer = setTimeout(
      () => resolve({ status: 'failed', detail: `no answer in ${limitMs / 1000} s` }),
      limitMs,
    )
  })
  try {
    return await Promise.race([look(), late])
  } catch (error) {
    return { status: 'failed', detail: error instanceof Error ? error.message : String(error) }
  } finally {
    clearTimeout(timer)
  }
}

export const ok = (detail: string): Finding => ({ status: 'ok', detail })
export const warning = (detail: string, fix: string): Finding => ({ status: 'warning', detail, fix })

/** Text of a file of the kernel; undefined when there is none. */
export function readText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined)
}

export function isAccessible(path: string, mode: number = constants.W_OK): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  )
}

/** The folder itself or its nearest parent that is there. */
export async function nearestExisting(path: string): Promise<string> {
  if (await stat(path).catch(() => undefined)) return path
  const parent = dirname(path)
  return parent === path ? path : nearestExisting(parent)
}
