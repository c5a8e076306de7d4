import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { waitFor } from '@holm/testkit'
import {
  createFaultHolm,
  expectCode,
  expectError,
  prepare,
  subjects,
  type FaultHolm,
} from './faults/support/fault-holm.ts'

let holm: FaultHolm
beforeEach(() => void (holm = createFaultHolm()))
afterEach(() => holm.dispose())

const deadlineMs = 60_000

/** Processes of this holm that look at the time. */
function watchers(): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || !existsSync(`/proc/${pid}/environ`)) return false
    try {
      return (
        readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('watch-idle') &&
        readFileSync(`/proc/${pid}/environ`, 'utf8').includes(holm.namespace)
      )
    } catch {
      return false
    }
  })
}

async function status(): Promise<string> {
  const { stdout } = await expectCode(holm, ['ws', 'show', 'fix', '--json'], 0)
  return (JSON.parse(stdout) as { readonly status: string }).status
}

test(
  'a workspace that nobody uses falls asleep, is woken, and its clock ends with it',
  { timeout: 120_000 },
  async (ctx) => {
    const subject = subjects.find(({ provider }) => provider === 'sandbox')
    if (subject === undefined) throw new Error('the sandbox is no subject of the faults any more')
    const reason =
      subject.missing() ?? (process.platform === 'linux' ? undefined : 'processes are looked for in /proc')
    if (reason !== undefined) ctx.skip(reason)
    await prepare(holm, subject)
    const git = (...args: readonly string[]) => execFileSync('git', args, { cwd: holm.project })
    git('init', '--quiet', '--initial-branch=main')
    git(
      '-c',
      'user.name=A',
      '-c',
      'user.email=a@example.org',
      'commit',
      '--quiet',
      '--allow-empty',
      '--message',
      'first',
    )
    git('add', 'holm.yaml')
    git('-c', 'user.name=A', '-c', 'user.email=a@example.org', 'commit', '--quiet', '--message', 'second')
    await expectError(holm, ['ws', 'create', 'fix', '--idle', 'soon'], {
      exit: 2,
      code: 'HOLM_USAGE',
      says: ['"soon"'],
      hint: '30m',
    })
    await expectCode(holm, ['ws', 'create', 'fix', '--idle', '2s'], 0)
    await waitFor(async () => ['paused', 'stopped'].includes(await status()), { what: 'sleep', deadlineMs })
    expect(watchers()).toHaveLength(1)
    expect((await expectCode(holm, ['exec', 'fix', '--', 'echo', 'awake'], 0)).stdout).toBe('awake\n')
    await expectCode(holm, ['ws', 'delete', 'fix', '--yes'], 0)
    await waitFor(async () => watchers().length === 0, { what: 'the end of the clock', deadlineMs })
    const log = readFileSync(join(holm.home, 'data', 'plugins-data', 'workspace', 'idle.log'), 'utf8')
    expect(log).toContain('fix was not used for 2 s')
  },
)
