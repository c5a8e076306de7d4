import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { EnvironmentState, ProviderContext, ResizeFacet, Resources } from '@holm/core'
import { groupOf, planLimits, type CgroupMounts, type CgroupValue, type LimitPlan } from './cgroup.ts'
import { findContainer } from './container.ts'
import { assertReady, loadWhole } from './lifecycle.ts'
import { loadRun, saveRecord, saveRun } from './record.ts'
import type { Session } from './session.ts'
import { loadLimitFacts } from './start.ts'
import { loadState } from './state.ts'

/** Written into the control groups of what runs; what is stopped starts with them. */
export function createResize(session: Session): ResizeFacet {
  return {
    resize: async (name, resources, ctx) => {
      await session.require(name)
      return session.locked(name, { waitMs: 20_000, ctx }, () =>
        resizeLocked(session, { name, resources }, ctx),
      )
    },
  }
}

async function resizeLocked(
  session: Session,
  { name, resources }: { readonly name: string; readonly resources: Resources },
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  const folder = session.folder(name)
  const record = await loadWhole(session, name, ctx)
  assertReady(record)
  const facts = loadLimitFacts(session)
  const asked = planLimits(resources, { ...facts, defaultPids: undefined })
  assertEnforced(asked)
  const container = findContainer(folder)
  if (container !== undefined) {
    writeAll(container.init.pid, asked.values, facts.mounts)
    const run = await loadRun(folder)
    const fresh = new Set(asked.limits.map((limit) => limit.name))
    if (run)
      await saveRun(folder, {
        ...run,
        limits: [...run.limits.filter((limit) => !fresh.has(limit.name)), ...asked.limits],
      })
  }
  const next = { ...record, resources: { ...record.resources, ...resources } }
  await saveRecord(folder, next)
  return loadState(next, folder)
}

function assertEnforced({ limits }: LimitPlan): void {
  const loose = limits.find(({ enforcedBy }) => enforcedBy === null)
  if (loose === undefined) return
  throw new HolmError(
    'HOLM_BLUEPRINT_UNSUPPORTED',
    `lxc cannot change the limit ${loose.name} here: no control group enforces it`,
    {
      hint: 'Leave it out, or use another provider.',
    },
  )
}

/** All or none. Memory with and without swap may never cross, so that the other order is tried, too. */
function writeAll(pid: number, values: readonly CgroupValue[], mounts: CgroupMounts): void {
  if (tryWrite(pid, values, mounts) === undefined) return
  const failure = tryWrite(pid, values.toReversed(), mounts)
  if (failure === undefined) return
  throw new HolmError('HOLM_BLUEPRINT_UNSUPPORTED', `the kernel refused the new limits: ${failure.message}`, {
    hint: 'Ask for more memory than is in use, or stop the environment first.',
    cause: failure,
  })
}

function tryWrite(pid: number, values: readonly CgroupValue[], mounts: CgroupMounts): Error | undefined {
  const undo: (() => void)[] = []
  try {
    for (const { controller, file, value } of values) {
      const group = groupOf(pid, controller, mounts)
      if (group === undefined) continue
      const target = path.join(group.folder, file)
      const before = readFileSync(target, 'utf8').trim()
      writeFileSync(target, value)
      undo.push(() => writeFileSync(target, before))
    }
    return undefined
  } catch (error) {
    for (const each of undo.toReversed()) each()
    return error as Error
  }
}
