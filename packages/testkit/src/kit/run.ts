import { listChecks, skipReasonOf } from './checks.ts'
import { openKit, type KitSession, type ProviderKitOptions } from './kit.ts'
import { within } from './wait-for.ts'

export interface CheckResult {
  readonly id: string
  readonly status: 'passed' | 'failed' | 'skipped'
  /** Message of the failure, or reason of the skip. */
  readonly detail?: string
}

/** Runs the checks (all, or those that `only` picks) without a test framework. Used by the test of the kit itself. */
export async function runChecks(
  options: ProviderKitOptions,
  only: (id: string) => boolean = () => true,
): Promise<readonly CheckResult[]> {
  const kit = await openKit(options)
  try {
    const results: CheckResult[] = []
    for (const check of listChecks(options)) {
      if (!only(check.id)) continue
      results.push(
        check.skipped === undefined
          ? await runCheck(kit, check, options.timeoutMs ?? 60_000)
          : { id: check.id, status: 'skipped', detail: check.skipped },
      )
    }
    return results
  } finally {
    await kit.close().catch(() => undefined)
  }
}

async function runCheck(
  kit: KitSession,
  { id, run }: ReturnType<typeof listChecks>[number],
  deadlineMs: number,
): Promise<CheckResult> {
  const outcome = await within(run(kit), { what: id, deadlineMs }).then(
    (): CheckResult => ({ id, status: 'passed' }),
    (error: unknown): CheckResult => {
      const skipped = skipReasonOf(error)
      return skipped === undefined
        ? { id, status: 'failed', detail: String(error) }
        : { id, status: 'skipped', detail: skipped }
    },
  )
  const untidy = await within(kit.tidy(), { what: `tidying after ${id}`, deadlineMs }).then(
    () => undefined,
    (error: unknown) => String(error),
  )
  if (untidy === undefined || outcome.status === 'failed') return outcome
  return { id, status: 'failed', detail: `clean-up: ${untidy}` }
}
