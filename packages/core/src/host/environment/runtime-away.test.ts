import { expect, it, vi } from 'vitest'
import type { MemoryProvider } from '@holm/testkit/memory'
import { setStage } from '../../../test/memory-host.ts'
import { HolmError, type HostApi } from '../../index.ts'

async function openHost(rest = ''): Promise<{ readonly provider: MemoryProvider; readonly host: HostApi }> {
  const stage = await setStage()
  stage.blueprint(`base: host\n${rest}`)
  return { provider: stage.provider, host: await stage.open() }
}

it('remembers what a runtime that went away in the middle may have made', async () => {
  const gone = { code: 'HOLM_PROVIDER_UNAVAILABLE', message: 'the daemon went away' } as const
  const { provider, host } = await openHost()
  Object.assign(provider.faults, { inspect: gone, list: gone })
  provider.faults['create'] = new HolmError(gone.code, gone.message, { details: { lost: true } })
  await expect(host.up()).rejects.toMatchObject(gone)
  await expect(host.list()).resolves.toMatchObject([{ name: 'web', status: 'unknown' }])
  Object.assign(provider.faults, { create: undefined, inspect: undefined, list: undefined })
  await expect(host.up()).resolves.toMatchObject({ outcome: 'created' })
})

it('a command that was ended with its environment is not told as its own failure', async () => {
  const { provider, host } = await openHost('scripts: { setup: "exit 137" }\n')
  const lone = await host.up().catch((error: unknown) => error)
  expect(lone).toMatchObject({ code: 'HOLM_COMMAND_FAILED' })
  const { exec } = provider
  provider.exec = async (name, request, context) => {
    const program = await exec(name, request, context)
    const exited = program.exited.then(async (exit) => {
      if (exit.code === 137) await provider.stop(name, { graceMs: 0 }, context)
      return exit
    })
    return { ...program, exited }
  }
  await expect(host.up()).rejects.toMatchObject({
    code: 'HOLM_ENVIRONMENT_FAILED',
    message: expect.stringMatching(
      /^environment web ended after the step \w+: .*script setup ended with code 137/,
    ),
  })
  await expect(host.list()).resolves.toEqual([])
})

it('a runtime that says nothing is asked no longer than its deadline', async () => {
  const { provider, host } = await openHost()
  await host.up()
  provider.faults['list'] = provider.faults['inspect'] = 'hang-until-abort'
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    const answers = Promise.allSettled([host.list(), host.status(), host.destroy()])
    await vi.waitFor(() =>
      expect(
        provider.calls
          .slice(-3)
          .map(({ method }) => method)
          .toSorted(),
      ).toEqual(['inspect', 'inspect', 'list']),
    )
    await vi.advanceTimersByTimeAsync(16_000)
    const reason = 'memory did not answer within 15 s'
    await expect(answers).resolves.toMatchObject([
      { value: [{ name: 'web', status: 'unknown', reason }] },
      { reason: { code: 'HOLM_TIMEOUT', message: reason } },
      { reason: { code: 'HOLM_TIMEOUT', message: reason } },
    ])
  } finally {
    vi.useRealTimers()
  }
  Object.assign(provider.faults, { inspect: undefined, list: undefined })
  await expect(host.list()).resolves.toMatchObject([{ name: 'web', status: 'running' }])
})
