import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { waitFor } from '@holm/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  createFaultHolm,
  engine,
  expectCode,
  listResidue,
  type FaultHolm,
} from './faults/support/fault-holm.ts'
import { listEngineTraces } from './support/engine.ts'
import { missingBuild, missingDocker } from './support/holm.ts'
import { importImage, removeImage } from './support/images.ts'
import { makeEngineRootfs, missingEnginePrograms } from './support/nested-rootfs.ts'

const limits = { timeout: 400_000 }

let holm: FaultHolm
let image = ''
beforeEach(() => {
  holm = createFaultHolm()
  image = `${holm.namespace}/engine:1`
})
afterEach(async () => {
  await holm.dispose()
  if (missingDocker() === undefined) await removeImage(engine, image)
})

const blueprint = (): string => `name: nest
base: { image: "${image}" }
provider: docker
docker: true
user: dev
matchUserId: false
`

async function inside(...argv: string[]): Promise<string> {
  return (await expectCode(holm, ['exec', 'nest', '--', ...argv], 0)).stdout.trim()
}

/** Names of the containers that the engine inside has, with what they do. */
async function containers(): Promise<string> {
  return inside('docker', 'ps', '--all', '--format', '{{.Names}} {{.State}}')
}

async function expectUp(): Promise<void> {
  const is = async (): Promise<boolean> => (await containers()) === 'inner running'
  await waitFor(is, { what: 'the container inside to run again', deadlineMs: 60_000 })
}

test(
  'an engine of its own runs inside, outlives stop and --recreate, and leaves nothing',
  limits,
  async (ctx) => {
    const reason = missingBuild() ?? missingDocker() ?? (await missingEnginePrograms())
    if (reason !== undefined) ctx.skip(reason)
    const { engine: tarball, small } = await makeEngineRootfs(holm.folder)
    await importImage(engine, { tarball, reference: image, changes: [] })
    copyFileSync(small, join(holm.project, 'small.tar'))
    holm.write('holm.yaml', blueprint())
    const before = (await listResidue(holm)).filter((line) => !line.startsWith('locks '))

    const { stderr } = await expectCode(holm, ['up'], 0)
    expect(stderr).toContain('who works in there can take over this machine')
    expect((await expectCode(holm, ['status', 'nest'], 0)).stdout).toContain('Docker engine of its own')
    await inside('docker', 'import', '/workspace/small.tar', 'small')
    // One that ends at once when it is told to.
    const hello = ['small', 'sh', '-c', 'echo hello; exec sleep 1000']
    await inside('docker', 'run', '--detach', '--init', '--restart', 'always', '--name', 'inner', ...hello)
    await expectUp()
    await waitFor(async () => (await inside('docker', 'logs', 'inner')) === 'hello', {
      what: 'what the container inside says',
      deadlineMs: 60_000,
    })
    // It is nobody else's: not the outer engine's, and nothing listens but the socket.
    const traces = await listEngineTraces(engine, holm.namespace)
    expect(traces.filter((line) => line.startsWith('container '))).toEqual([
      `container /${holm.namespace}-nest`,
    ])
    expect(await inside('sh', '-c', 'cat /proc/net/tcp /proc/net/tcp6 | grep -c " 0A " || true')).toBe('0')

    await expectCode(holm, ['stop', 'nest'], 0)
    await expectCode(holm, ['start', 'nest'], 0)
    await expectUp()
    await expectCode(holm, ['up', '--recreate', '--yes'], 0)
    await expectUp()

    await expectCode(holm, ['destroy', 'nest', '--yes'], 0)
    expect((await listResidue(holm)).filter((line) => !line.startsWith('locks '))).toEqual(before)
  },
)
