import { join } from 'node:path'
import { root } from '../../../scripts/root.ts'
import type { Lab } from '../lab.ts'
import type { Suite } from './suite.ts'

const processes = 8
const each = 50

const header = `
import { createServer } from 'node:net'
const listen = (port) => new Promise((resolve, reject) => {
  const server = createServer().once('error', reject).listen({ port, host: '127.0.0.1' }, () => resolve(server))
})
const close = (server) => new Promise((resolve) => server.close(resolve))
`

/** What a program does that asks the system for any free port. */
const bare = `${header}
for (let i = 0; i < ${each}; i++) await close(await listen(0))`

const leased = `${header}
import { createHost } from ${JSON.stringify(join(root, 'packages/core/dist/host/index.js'))}
const host = await createHost()
for (let i = 0; i < ${each}; i++) {
  const { port, release } = await host.ports.lease({ environment: 'e' + process.pid, container: i + 1 })
  await close(await listen(port))
  await release()
}
await host.close()`

function runAll(lab: Lab, program: string): Promise<unknown> {
  return Promise.all(
    Array.from({ length: processes }, () => lab.node('--input-type=module', '--eval', program)),
  )
}

export const leases: Suite = {
  name: 'workspaces-leases',
  async *cases(lab) {
    yield {
      id: 'workspaces-leases',
      title: `${processes} processes take and give back ${each} ports each`,
      contenders: [
        { name: 'any free port', run: () => runAll(lab, bare) },
        { name: 'ports leased from holm', run: () => runAll(lab, leased) },
      ],
      budgets: [],
    }
  },
}
