import assert from 'node:assert/strict'
import type { Process } from '@holm/core'
import { tap } from '../collect.ts'
import { assertCode, assertRejects } from '../kit/expect.ts'
import type { Kit, Suite } from '../kit/kit.ts'
import { waitFor, within } from '../kit/wait-for.ts'

const loop = 'while :; do sleep 0.1; done'

export const signalsSuite: Suite = {
  name: 'signals',
  checks: {
    'SIGTERM, SIGINT and SIGHUP reach a trap': async (kit) => {
      const name = await kit.shared()
      for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
        const script = `trap 'echo caught; exit 33' ${signal.slice(3)}; echo ready; ${loop}`
        const { process, out } = await startReady(kit, name, { argv: ['sh', '-c', script] })
        await process.kill(signal)
        const { code } = await within(process.exited, { what: `the end after ${signal}` })
        assert.equal(code, 33, signal)
        await within(out.ended, { what: `the end of the output after ${signal}` })
        assert.equal(out.text(), 'ready\ncaught\n', signal)
      }
    },
    'SIGTERM without a trap exits with 143': async (kit) => {
      const { process } = await startReady(kit, await kit.shared(), {
        argv: ['sh', '-c', 'echo ready; exec sleep 302'],
      })
      await process.kill('SIGTERM')
      assert.equal((await within(process.exited, { what: 'the end after SIGTERM' })).code, 143)
    },
    'SIGKILL ends what ignores everything': async (kit) => {
      const script = `trap '' TERM INT HUP; echo ready; ${loop}`
      const { process } = await startReady(kit, await kit.shared(), { argv: ['sh', '-c', script] })
      await process.kill('SIGTERM')
      await process.kill('SIGKILL')
      assert.equal((await within(process.exited, { what: 'the end after SIGKILL' })).code, 137)
    },
    'a signal reaches the children, too': async (kit) => {
      const name = await kit.shared()
      const { process, out } = await startReady(kit, name, {
        argv: ['sh', '-c', 'sleep 303 & echo $! ready; wait'],
      })
      await process.kill('SIGKILL')
      await within(process.exited, { what: 'the end after SIGKILL' })
      await kit.waitForDeath(name, firstNumber(out.text()))
    },
    'a signal after the end is no error': async (kit) => {
      const process = await kit.exec(await kit.shared(), ['true'])
      process.stdout.resume()
      process.stderr.resume()
      await process.exited
      for (let round = 0; round < kit.repeat; round += 1) await process.kill('SIGTERM')
    },
    'an abort before exec begins starts nothing': async (kit) => {
      const name = await kit.shared()
      const argv = ['sh', '-c', 'echo ran > aborted-marker']
      await assertRejects(kit.exec(name, argv, AbortSignal.abort()), ['HOLM_INTERRUPTED'], 'exec')
      assert.equal(await kit.output(name, ['sh', '-c', 'cat aborted-marker 2>/dev/null || true']), '')
    },
    'an abort kills the program and its children': async (kit) => {
      const name = await kit.shared()
      const controller = new AbortController()
      const script = 'sleep 304 & echo $$ $! ready; wait'
      const { process, out } = await startReady(kit, name, {
        argv: ['sh', '-c', script],
        signal: controller.signal,
      })
      controller.abort()
      await assertEnded(process, 'an aborted program')
      const [parent = '', child = ''] = out.text().match(/\d+/g) ?? []
      await kit.waitForDeath(name, parent)
      await kit.waitForDeath(name, child)
    },
    'remove ends a program that runs': async (kit) => {
      const name = await kit.start()
      const { process } = await startReady(kit, name, { argv: ['sh', '-c', 'echo ready; exec sleep 305'] })
      await kit.provider.remove(name, { volumes: true }, kit.context())
      await assertEnded(process, 'a program in a removed environment')
      assert.equal((await kit.inspect(name)).status, 'absent')
    },
  },
}

async function startReady(
  kit: Kit,
  name: string,
  { argv, signal }: { readonly argv: readonly string[]; readonly signal?: AbortSignal },
): Promise<{ process: Process; out: ReturnType<typeof tap> }> {
  const process = await kit.exec(name, argv, signal)
  process.exited.catch(() => undefined)
  kit.onTidy(() => process.kill('SIGKILL').catch(() => undefined))
  const out = tap(process.stdout)
  process.stderr.resume()
  await waitFor(() => out.text().includes('ready\n'), { what: `"ready" from ${argv.join(' ')}` })
  return { process, out }
}

/** Ended with a code that is not success, or rejected because the connection was cut. */
async function assertEnded(process: Process, what: string): Promise<void> {
  const exit = await within(process.exited, { what: `the end of ${what}` }).catch((error: unknown) => {
    assertCode(error, ['HOLM_INTERRUPTED', 'HOLM_ENVIRONMENT_FAILED', 'HOLM_ENVIRONMENT_NOT_FOUND'], what)
    return undefined
  })
  if (exit) assert.notEqual(exit.code, 0, `${what} reports success`)
}

function firstNumber(text: string): string {
  return /\d+/.exec(text)?.[0] ?? assert.fail(`no process id in ${JSON.stringify(text)}`)
}
