import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { UpResult } from '@holm/core'
import { askEngine } from './support/engine.ts'
import {
  createFaultHolm,
  engine,
  expectCode,
  expectError,
  listResidue,
  prepare,
  subjects,
  type FaultHolm,
} from './support/fault-holm.ts'

let holm: FaultHolm
beforeEach(() => {
  holm = createFaultHolm()
})
afterEach(() => holm.dispose())

describe.each(subjects)('an environment on $provider', (subject) => {
  beforeEach((ctx) => {
    const reason = subject.missing()
    if (reason !== undefined) ctx.skip(reason)
  })

  test('whose port is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await prepare(holm, subject, `ports: [${port}]\n`)
    const before = await listResidue(holm)
    await expectError(holm, ['up'], {
      exit: 7,
      code: 'HOLM_PORT_TAKEN',
      says: [`port ${port} of this machine is already in use`],
      hint:
        subject.provider === 'docker' ? 'Choose another host port' : 'choose another port in the blueprint',
    })
    expect(await listResidue(holm)).toEqual(before)
    server.close()
    await once(server, 'close')
    await expectCode(holm, ['up'], 0)
  })

  test('whose secret is missing', async () => {
    await prepare(holm, subject, 'secrets: { TOKEN: "env:NO_SUCH_VARIABLE" }\n')
    const before = await listResidue(holm)
    await expectError(holm, ['up'], {
      exit: 3,
      code: 'HOLM_SECRET_MISSING',
      says: ['secret TOKEN', 'the variable NO_SUCH_VARIABLE'],
      hint: 'Provide the variable NO_SUCH_VARIABLE',
    })
    expect(await listResidue(holm)).toEqual(before)
    const up = await expectCode(holm, ['up', '-v'], { exit: 0, env: { NO_SUCH_VARIABLE: 'hunter2' } })
    expect(up.stdout + up.stderr).not.toContain('hunter2')
  })

  test('whose script fails', async () => {
    await prepare(holm, subject, 'scripts: { setup: "echo almost there; echo no luck >&2; exit 3" }\n')
    const before = await listResidue(holm)
    await expectError(holm, ['up'], {
      exit: 8,
      code: 'HOLM_COMMAND_FAILED',
      says: ['script setup ended with code 3', 'almost there', 'no luck'],
      hint: 'Correct scripts.setup in the blueprint',
    })
    expect(await listResidue(holm)).toEqual(before)
    await prepare(holm, subject)
    await expectCode(holm, ['up'], 0)
  })

  test('whose script fails keeps its named volumes, and says which and how to remove them', async () => {
    await prepare(
      holm,
      subject,
      'volumes: [{ name: data, mount: /data }, { name: more, mount: /more }]\nscripts: { setup: "echo x >/data/file; exit 3" }\n',
    )
    const before = await listResidue(holm)
    const up = await expectCode(holm, ['up'], 8)
    expect(up.stderr).toContain(
      'warning: kept the volumes data, more, which may hold data of before\nhint: Remove what no other environment uses with: holm destroy one --volumes\n',
    )
    expect(await listResidue(holm)).not.toEqual(before)
    await expectCode(holm, ['destroy', 'one', '--volumes', '--yes'], 0)
    expect(await listResidue(holm)).toEqual(before)
  })

  test('whose failure is kept for a look inside', async () => {
    await prepare(holm, subject, 'scripts: { setup: "touch /tmp/here; exit 3" }\n')
    const before = await listResidue(holm)
    expect((await expectCode(holm, ['up', '--keep'], 8)).stderr).toContain('kept the failed environment one')
    await expectCode(holm, ['exec', 'one', '--', 'test', '-e', '/tmp/here'], 0)
    await expectCode(holm, ['destroy', 'one', '--yes'], 0)
    expect(await listResidue(holm)).toEqual(before)
  })

  test('whose script hangs', async () => {
    await prepare(holm, subject, 'scripts: { setup: "echo waiting for nobody; sleep 1000" }\n')
    const before = await listResidue(holm)
    await expectError(holm, ['up'], {
      exit: 124,
      code: 'HOLM_TIMEOUT',
      says: ['up did not finish within 2 s; it was at the step setup\nwaiting for nobody'],
      hint: 'allow more time: holm config set up.timeout',
      env: { HOLM_UP__TIMEOUT: '2s' },
    })
    expect(await listResidue(holm)).toEqual(before)
  })

  test('that is stopped', async () => {
    await prepare(holm, subject)
    await expectCode(holm, ['up'], 0)
    await expectCode(holm, ['stop'], 0)
    await expectCode(holm, ['stop'], 0)
    for (const args of [['exec'], ['exec', 'one']]) {
      const text = await expectCode(holm, [...args, '--', 'true'], 7)
      expect(text.stderr).toBe(
        'error HOLM_ENVIRONMENT_NOT_RUNNING: environment one is not running\nhint: Start it with: holm start one\n',
      )
    }
    await expectError(holm, ['exec', '--', 'true'], {
      exit: 7,
      code: 'HOLM_ENVIRONMENT_NOT_RUNNING',
      says: ['one', 'is not running'],
      hint: 'holm start one',
    })
    await expectCode(holm, ['start'], 0)
    await expectCode(holm, ['exec', '--', 'true'], 0)
  })

  test('that is destroyed twice', async () => {
    await prepare(holm, subject)
    await expectCode(holm, ['up'], 0)
    expect((await expectCode(holm, ['destroy', 'one', '--yes'], 0)).stdout).toBe('one is removed\n')
    const says = ['there is no environment one']
    const gone = { exit: 7, code: 'HOLM_ENVIRONMENT_NOT_FOUND', hint: 'holm list' }
    await expectError(holm, ['destroy', 'one', '--yes'], { ...gone, says })
    await expectError(holm, ['exec', 'one', '--', 'true'], { ...gone, says })
    await expectError(holm, ['destroy', '--yes'], {
      ...gone,
      says: [`no environment belongs to ${holm.project}`],
      hint: 'holm up',
    })
  })

  test('that was removed behind the back of holm', async () => {
    await prepare(holm, subject)
    const before = await listResidue(holm)
    await expectCode(holm, ['up'], 0)
    await removeBehindBack()
    const gone = {
      exit: 7,
      code: subject.provider === 'docker' ? 'HOLM_ENVIRONMENT_NOT_FOUND' : 'HOLM_ENVIRONMENT_NOT_RUNNING',
      says: ['one'],
      hint: subject.provider === 'docker' ? 'Make it anew with: holm up' : 'holm start one',
    }
    await expectError(holm, ['exec', '--', 'true'], gone)
    const up = await expectCode(holm, ['up', '--json'], 0)
    expect((JSON.parse(up.stdout) as UpResult).outcome).toBe(
      subject.provider === 'docker' ? 'created' : 'started',
    )
    await expectCode(holm, ['exec', '--', 'true'], 0)
    await removeBehindBack()
    const list = JSON.parse((await expectCode(holm, ['list', '--json'], 0)).stdout) as unknown[]
    expect(list).toHaveLength(subject.provider === 'docker' ? 0 : 1)
    await holm.run(['destroy', 'one', '--yes'])
    expect(await listResidue(holm)).toEqual(before)
  })

  /** The container by the engine; of a sandbox, which is nothing but processes, the first one inside. */
  async function removeBehindBack(): Promise<void> {
    if (subject.provider === 'docker') {
      await askEngine(engine, 'DELETE', `/containers/${holm.namespace}-one?force=1`)
      return
    }
    const path = join(holm.home, 'data/plugins-data/sandbox', holm.namespace, 'environments/one/record.json')
    const { holder } = JSON.parse(readFileSync(path, 'utf8')) as { holder: { init: { pid: number } } }
    process.kill(holder.init.pid, 'SIGKILL')
  }
})

const docker = subjects.find(({ provider }) => provider === 'docker')

test('an image that is missing fails within seconds where there is no network', async (ctx) => {
  const reason = docker?.missing()
  if (reason !== undefined) ctx.skip(reason)
  holm.write('holm.yaml', 'name: one\nbase: { image: "registry.invalid/none:1" }\nprovider: docker\n')
  const since = performance.now()
  await expectError(holm, ['up'], {
    exit: 7,
    code: 'HOLM_IMAGE_MISSING',
    says: ['the image registry.invalid/none:1 is not on this machine'],
    hint: 'holm base add <name> <rootfs.tar>',
  })
  // Two runs; the engine gives up on a name that does not resolve at once, and a retry would take longer than this.
  expect(performance.now() - since).toBeLessThan(10_000)
  expect(await listResidue(holm)).toEqual([])
})
