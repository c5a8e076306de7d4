import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import { listChecks, skipReasonOf, type NamedCheck } from './checks.ts'
import { openKit, type KitSession, type ProviderKitOptions } from './kit.ts'
import { definitionChecks, manifestChecks, type PluginSubject } from './plugin-suite.ts'

/** Registers a provider's whole conformance test: one vitest test per rule. See the README for a complete example. */
export function describeProvider(label: string, options: ProviderKitOptions): void {
  const checks = listChecks(options)
  const timeout = options.timeoutMs ?? 60_000
  describe(label, { timeout }, () => {
    let kit: KitSession | undefined
    const skipped: string[] = []
    if (options.unavailable === undefined) {
      beforeAll(async () => void (kit = await openKit(options)), 4 * timeout)
      afterEach(() => kit?.tidy(), timeout)
      afterAll(() => kit?.close(), 4 * timeout)
    }
    afterAll(() => report(label, checks.length, skipped))
    for (const suite of new Set(checks.map((check) => check.suite))) {
      const own = checks.filter((check) => check.suite === suite)
      describe(suite, () => {
        for (const check of own) register(check, { open: () => kit, skipped })
      })
    }
  })
}

/** Registers the rules that hold for a plugin of any kind: manifest, default export, and what it registers. */
export function describePlugin(label: string, subject: PluginSubject): void {
  describe(label, () => {
    for (const [title, check] of Object.entries({ ...manifestChecks, ...definitionChecks })) {
      it(title, () => check(subject))
    }
  })
}

function register(
  check: NamedCheck,
  { open, skipped }: { readonly open: () => KitSession | undefined; readonly skipped: string[] },
): void {
  it(check.title, async (test) => {
    const kit = open()
    const reason = check.skipped ?? (kit === undefined ? 'no provider' : await attempt(check, kit))
    if (reason === undefined) return
    skipped.push(`${check.id} (${reason})`)
    test.skip(reason)
  })
}

/** Runs the check. Returns the reason when it skipped itself. */
async function attempt(check: NamedCheck, kit: KitSession): Promise<string | undefined> {
  try {
    await check.run(kit)
    return undefined
  } catch (error) {
    const reason = skipReasonOf(error)
    if (reason === undefined) throw error
    return reason
  }
}

function report(label: string, total: number, skipped: readonly string[]): void {
  if (skipped.length === 0) return
  const everything = skipped.length === total
  const lines = everything ? [`all ${total} (${skipped[0]?.replace(/^.*? \(/, '').slice(0, -1)})`] : skipped
  process.stderr.write(`${label}: ${skipped.length} of ${total} checks skipped:\n  ${lines.join('\n  ')}\n`)
}
