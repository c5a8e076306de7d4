import assert from 'node:assert/strict'
import type { AppliedLimit, LimitName, Resources } from '@holm/core'
import type { Kit, Suite } from '../kit/kit.ts'
import { assertCode } from '../kit/expect.ts'

const mebibyte = 1024 * 1024

const asked: Readonly<Record<LimitName, { readonly resources: Resources; readonly value: number }>> = {
  cpus: { resources: { cpus: 0.5 }, value: 0.5 },
  memory: { resources: { memoryBytes: 64 * mebibyte }, value: 64 * mebibyte },
  disk: { resources: { diskBytes: 1024 * mebibyte }, value: 1024 * mebibyte },
  pids: { resources: { pids: 40 }, value: 40 },
}

export const limitsSuite: Suite = {
  name: 'limits',
  checks: {
    'every declared limit is in the state, with what enforces it': async (kit) => {
      for (const limit of kit.provider.traits.limits) {
        const { state } = await startLimited(kit, limit)
        assert.equal(state.value, asked[limit].value, limit)
        assert.ok(state.enforcedBy === null || state.enforcedBy.length > 0, `enforcedBy of ${limit}`)
      }
    },
    'without limits none is reported': async (kit) => {
      const name = await kit.start()
      const reported = (await kit.inspect(name)).limits.filter(({ name }) => name !== 'pids')
      assert.deepEqual(reported, [], 'a provider may have a default for pids only')
    },
    'the memory limit stops a program that takes more': async (kit) => {
      const { name } = await startEnforced(kit, 'memory')
      const script = 'x=$(head -c 200000000 /dev/zero | tr "\\0" x); echo "took ${#x}"'
      const result = await kit.run(name, ['sh', '-c', script])
      assert.ok(!result.text.includes('took 200000000'), 'a program took more memory than the limit')
    },
    'the pids limit stops a program that starts more': async (kit) => {
      const { name } = await startEnforced(kit, 'pids')
      // What is started may outlive a shell that fails to fork: it must not hold the output open.
      const script =
        'i=0; while [ $i -lt 80 ]; do sleep 306 >/dev/null 2>&1 & i=$((i+1)); done; echo started $i; kill $(jobs -p)'
      const result = await kit.run(name, ['sh', '-c', `(${script}) 2>&1`]).catch(() => undefined)
      const refused = /fork|Resource temporarily unavailable|can't/i
      assert.ok(
        result === undefined || !result.text.includes('started 80') || refused.test(result.text),
        'a program started more processes than the limit',
      )
    },
    'the pids limit stays when a second program runs': async (kit) => {
      const { name } = await startEnforced(kit, 'pids')
      assert.equal(await kit.output(name, ['printf', 'fine']), 'fine')
    },
  },
}

export const networkSuite: Suite = {
  name: 'network',
  checks: {
    "network 'none' has no route to anywhere": async (kit) => {
      if (!kit.provider.traits.networks.includes('none')) kit.skip("traits.networks has no 'none'")
      const name = await kit.start({ network: 'none' })
      const routes = (await kit.output(name, ['cat', '/proc/net/route'])).trim().split('\n').slice(1)
      assert.deepEqual(routes, [])
    },
    'an unknown network is refused, or made and removed with its last environment': async (kit) => {
      const network = `${kit.name()}-net`
      const spec = kit.spec({ network })
      const start = kit.provider
        .create(spec, kit.context())
        .then(() => kit.provider.start(spec.name, kit.context()))
      const refusal = await start.then(
        () => undefined,
        (error: unknown) => error ?? 'nothing',
      )
      if (refusal === undefined) await assertOwnNetwork(kit, network, spec.name)
      else assertCode(refusal, refusals, 'create and start')
    },
  },
}

const refusals = ['HOLM_BLUEPRINT_UNSUPPORTED', 'HOLM_ENVIRONMENT_FAILED', 'HOLM_BLUEPRINT_INVALID'] as const

/** The network exists for as long as an environment uses it. */
async function assertOwnNetwork(kit: Kit, network: string, first: string): Promise<void> {
  const { networks } = kit
  if (!networks) assert.fail(`the provider made the network ${network}: give the kit \`networks\``)
  const made = async (): Promise<boolean> => (await networks()).some((each) => each.endsWith(network))
  assert.ok(await made(), 'the network carries the label of the provider')
  const second = await kit.start({ network })
  await kit.provider.remove(first, { volumes: true }, kit.context())
  assert.ok(await made(), 'a network in use stays')
  await kit.provider.remove(second, { volumes: true }, kit.context())
  assert.ok(!(await made()), 'the network is removed with its last environment')
}

async function startLimited(kit: Kit, limit: LimitName): Promise<{ name: string; state: AppliedLimit }> {
  const name = await kit.start({ resources: asked[limit].resources })
  const { limits } = await kit.inspect(name)
  const state = limits.find((each) => each.name === limit)
  return { name, state: state ?? assert.fail(`state.limits has no ${limit}: ${JSON.stringify(limits)}`) }
}

async function startEnforced(kit: Kit, limit: LimitName): Promise<{ name: string }> {
  if (!kit.provider.traits.limits.includes(limit)) kit.skip(`traits.limits has no ${limit}`)
  const { name, state } = await startLimited(kit, limit)
  if (state.enforcedBy === null) kit.skip(`nothing enforces ${limit} here, and the state says so`)
  return { name }
}
