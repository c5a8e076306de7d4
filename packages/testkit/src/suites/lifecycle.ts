import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import type { EnvironmentState, EnvironmentStatus } from '@holm/core'
import { assertRejects } from '../kit/expect.ts'
import type { Kit, Suite } from '../kit/kit.ts'
import { within } from '../kit/wait-for.ts'

const stop = { graceMs: 2000 }
const remove = { volumes: true }
const unknown = 't-never-made'

export const lifecycleSuite: Suite = {
  name: 'lifecycle',
  checks: {
    'probe says usable, and why not otherwise': async (kit) => {
      const probe = await kit.provider.probe(kit.context())
      assertJson(probe, 'probe')
      assert.ok(Array.isArray(probe.limitations), 'probe.limitations is a list')
      assert.equal(probe.usable, true, `probe: ${probe.reason ?? 'not usable'}`)
    },
    'an unknown name is absent, not an error': async (kit) => {
      const state = await kit.inspect(unknown)
      assertState(kit, state, { name: unknown, status: 'absent' })
      assert.deepEqual({ ...state.labels }, {}, 'labels of an absent environment')
    },
    'start and exec of an unknown name are refused': async (kit) => {
      const { provider } = kit
      await assertRejects(provider.start(unknown, kit.context()), ['HOLM_ENVIRONMENT_NOT_FOUND'], 'start')
      await assertRejects(kit.exec(unknown, ['true']), ['HOLM_ENVIRONMENT_NOT_FOUND'], 'exec')
    },
    'stop and remove of an unknown name succeed': async (kit) => {
      const state = await kit.provider.stop(unknown, stop, kit.context())
      assert.equal(state.status, 'absent')
      await kit.provider.remove(unknown, remove, kit.context())
    },
    'create makes it stopped, and again changes nothing': async (kit) => {
      const spec = kit.spec()
      const first = await kit.provider.create(spec, kit.context())
      assertState(kit, first, { name: spec.name, status: 'stopped' })
      for (let round = 1; round < kit.repeat; round += 1) {
        const again = await kit.provider.create(spec, kit.context())
        assert.equal(again.id, first.id, 'id after a repeated create')
        assert.equal(again.status, 'stopped', 'status after a repeated create')
      }
    },
    'create of a running environment returns it running': async (kit) => {
      const spec = kit.spec()
      await kit.provider.create(spec, kit.context())
      await kit.provider.start(spec.name, kit.context())
      assert.equal((await kit.provider.create(spec, kit.context())).status, 'running')
      assert.equal((await kit.inspect(spec.name)).status, 'running')
    },
    'start can be repeated and changes nothing': async (kit) => {
      const name = await kit.create()
      const first = await kit.provider.start(name, kit.context())
      assertState(kit, first, { name, status: 'running' })
      const pid = await startBackground(kit, name)
      for (let round = 1; round < kit.repeat; round += 1) {
        const again = await kit.provider.start(name, kit.context())
        assert.equal(again.status, 'running')
        assert.equal(again.startedAt, first.startedAt, 'startedAt after a repeated start')
      }
      assert.ok(await kit.lives(name, pid), 'a process survives a repeated start')
    },
    'stop can be repeated and changes nothing': async (kit) => {
      const name = await kit.start()
      for (let round = 0; round < kit.repeat; round += 1) {
        const state = await kit.provider.stop(name, stop, kit.context())
        assertState(kit, state, { name, status: 'stopped' })
      }
    },
    'stop of an environment that was never started succeeds': async (kit) => {
      const name = await kit.create()
      assert.equal((await kit.provider.stop(name, stop, kit.context())).status, 'stopped')
    },
    'remove can be repeated and leaves nothing': async (kit) => {
      const name = await kit.start()
      for (let round = 0; round < kit.repeat; round += 1) {
        await kit.provider.remove(name, remove, kit.context())
        assert.equal((await kit.inspect(name)).status, 'absent')
      }
      assert.ok(!(await listNames(kit)).includes(name), 'a removed environment is not listed')
    },
    'a whole life can be lived again under one name': async (kit) => {
      const spec = kit.spec()
      for (let round = 0; round < kit.repeat; round += 1) {
        await kit.provider.create(spec, kit.context())
        await kit.provider.start(spec.name, kit.context())
        const left = await kit.output(spec.name, ['sh', '-c', 'ls -A; echo made > left-over'])
        assert.ok(!left.includes('left-over'), 'files of a removed environment are gone')
        await kit.provider.stop(spec.name, stop, kit.context())
        await kit.provider.remove(spec.name, remove, kit.context())
      }
    },
    'inspect follows each change': async (kit) => {
      const name = await kit.create()
      assert.equal((await kit.inspect(name)).status, 'stopped')
      await kit.provider.start(name, kit.context())
      assert.equal((await kit.inspect(name)).status, 'running')
      await kit.provider.stop(name, stop, kit.context())
      assert.equal((await kit.inspect(name)).status, 'stopped')
    },
    'state is JSON and survives a round trip': async (kit) => {
      const name = await kit.start()
      assertJson(await kit.inspect(name), 'inspect')
      assertJson(await kit.provider.list(kit.context()), 'list')
      assertJson(await kit.provider.stop(name, stop, kit.context()), 'stop')
    },
    'labels come back exactly': async (kit) => {
      const labels = {
        'holm.environment': 'labels',
        'holm.text': 'with space, "quotes", \'single\', = and ünïcode ✓',
        'holm.empty': '',
        'holm.json': JSON.stringify({ a: [1, { b: null }] }),
        'holm.long': 'x'.repeat(2000),
      }
      const name = await kit.start({ labels })
      assertLabels(await kit.inspect(name), labels)
      assertLabels(
        (await kit.provider.list(kit.context())).find((each) => each.name === name),
        labels,
      )
      assertLabels(await kit.provider.stop(name, stop, kit.context()), labels)
    },
    'list names exactly what exists': async (kit) => {
      const before = await listNames(kit)
      const running = await kit.start()
      const stopped = await kit.create()
      const removed = await kit.create()
      await kit.provider.remove(removed, remove, kit.context())
      assert.deepEqual(await listNames(kit), [...before, running, stopped].sort())
      const states = await kit.provider.list(kit.context())
      assertState(kit, pick(states, running), { name: running, status: 'running' })
      assertState(kit, pick(states, stopped), { name: stopped, status: 'stopped' })
    },
    'files survive stop and start': async (kit) => {
      const name = await kit.start()
      await kit.output(name, ['sh', '-c', 'printf kept > kept.txt; chmod 640 kept.txt'])
      await kit.provider.stop(name, stop, kit.context())
      await kit.provider.start(name, kit.context())
      assert.equal(
        await kit.output(name, ['sh', '-c', 'cat kept.txt; ls -l kept.txt | head -c 10']),
        'kept-rw-r-----',
      )
    },
    'stop ends the processes inside': async (kit) => {
      const name = await kit.start()
      // The processes are looked for by their argument, which is theirs alone on this machine.
      const seconds = String(randomInt(100_000, 999_999))
      const direct = await kit.exec(name, ['sleep', seconds])
      direct.stdout.resume()
      direct.stderr.resume()
      await kit.output(name, ['sh', '-c', 'sleep "$1" </dev/null >/dev/null 2>&1 &', 'sh', seconds])
      await kit.provider.stop(name, stop, kit.context())
      await within(
        direct.exited.catch(() => undefined),
        { what: 'the end of a program in a stopped environment' },
      )
      await kit.provider.start(name, kit.context())
      const script =
        'for f in /proc/[0-9]*/cmdline; do tr "\\0" " " < "$f"; echo; done 2>/dev/null | grep -c "^sleep $1 " || true'
      assert.equal(
        (await kit.output(name, ['sh', '-c', script, 'sh', seconds])).trim(),
        '0',
        'left-over programs',
      )
    },
  },
}

export async function listNames(kit: Kit): Promise<string[]> {
  return (await kit.provider.list(kit.context())).map(({ name }) => name).sort()
}

/** Starts a program that stays after its exec ended; returns its process id. */
export async function startBackground(kit: Kit, name: string): Promise<string> {
  const script = 'sleep 301 </dev/null >/dev/null 2>&1 & echo $!'
  return (await kit.output(name, ['sh', '-c', script])).trim()
}

export function assertJson(value: unknown, what: string): void {
  assert.deepEqual(JSON.parse(JSON.stringify(value)), value, `${what} is JSON`)
}

function pick(states: readonly EnvironmentState[], name: string): EnvironmentState {
  return states.find((state) => state.name === name) ?? assert.fail(`${name} is not listed`)
}

function assertLabels(state: EnvironmentState | undefined, labels: Record<string, string>): void {
  assert.deepEqual({ ...state?.labels }, labels)
}

/** Shape and meaning of a state, field by field. */
export function assertState(
  { provider }: Kit,
  state: EnvironmentState,
  expected: { readonly name: string; readonly status: EnvironmentStatus },
): void {
  assertJson(state, 'state')
  assert.equal(state.name, expected.name, 'state.name')
  assert.equal(state.status, expected.status, `state.status (${state.reason ?? 'no reason given'})`)
  assert.equal(state.provider, provider.id, 'state.provider')
  assert.ok(
    Array.isArray(state.ports) && Array.isArray(state.limits),
    'state.ports and state.limits are lists',
  )
  for (const key of ['createdAt', 'startedAt'] as const) {
    const value = state[key]
    if (value !== undefined) assert.ok(isIso(value), `state.${key} is ISO 8601: ${value}`)
  }
  if (expected.status === 'running') assert.ok(state.startedAt, 'a running environment has startedAt')
}

function isIso(value: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(value) && !Number.isNaN(Date.parse(value))
}
