import { createConnection } from 'node:net'
import { waitFor } from '@holm/testkit'
import { connectSocket } from '@holm/sdk/node'
import { expect, it, onTestFinished } from 'vitest'
import { setStage, type Stage } from './stage.ts'

const environment = 'demo'

/** How far the program has come, by its own account. */
const script = 'i=0; while [ $i -lt 100 ]; do head -c 65536 /dev/zero; i=$((i+1)); echo $i > count; done'

it('reads no more from a program than its reader takes', async () => {
  const stage = await setStage()
  await stage.host.up({})
  const client = await stage.client('websocket')
  const running = await client.exec({ environment, argv: ['sh', '-c', script], window: 256 * 1024 })
  const progress = () => Number(stage.read('count'))
  await waitFor(
    async () => {
      // Nobody reads yet: it stands still after what fits into the window and the pipes.
      const before = await count(progress)
      await client.call('session.info', {})
      await new Promise((resolve) => setTimeout(resolve, 100))
      return before > 0 && before === (await count(progress))
    },
    { what: 'the program to stand still', deadlineMs: 30_000 },
  )
  expect(await count(progress)).toBeLessThan(50)
  let bytes = 0
  void running.stderr.cancel()
  for await (const chunk of running.stdout) bytes += chunk.length
  expect(bytes).toBe(100 * 65_536)
  expect(await running.exited).toMatchObject({ code: 0 })
})

async function count(progress: () => number): Promise<number> {
  try {
    return progress()
  } catch {
    return 0
  }
}

it('keeps little for one who does not read, and lets him go', async () => {
  const limits = { connections: 1, messageBytes: 100_000, calmBytes: 100_000, stalledBytes: 400_000 }
  const stage = await setStage({ limits })
  const socket = createConnection(stage.socket)
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => undefined)
  socket.pause()
  const send = (id: number | string, method: string, params: object): void =>
    void socket.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`)
  send(0, 'session.authenticate', { token: stage.token.value })
  await waitFor(async () => !(await enters(stage)), { what: 'the first to be in', deadlineMs: 30_000 })
  // Each answer repeats its id. They are never read: in the end there are more than may be kept.
  for (let id = 1; id <= 40; id++) send(`${id}${'x'.repeat(50_000)}`, 'session.info', {})
  await waitFor(() => enters(stage), { what: 'the place of who does not read', deadlineMs: 60_000 })
})

/** Whether there is a place for another one. */
async function enters(stage: Stage): Promise<boolean> {
  try {
    const client = await connectSocket({ socket: stage.socket, token: stage.token.value, reconnect: false })
    client.close()
    return true
  } catch {
    return false
  }
}
