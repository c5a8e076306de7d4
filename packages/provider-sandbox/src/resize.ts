import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { EnvironmentState, LimitName, ResizeFacet, Resources } from '@holm/core'
import { loadLimitFacts, planLimits, type CgroupWrite, type LimitPlan } from './cgroup.ts'
import { withLock } from './lock.ts'
import { listPorts } from './ports.ts'
import { saveRecord, type Holder, type SandboxRecord } from './record.ts'
import { groupName, type Session } from './session.ts'
import { isRunning, stateOf } from './state.ts'

/** Where a control group enforces the limit; nothing else can change it for what exists. */
export function createResize(session: Session): ResizeFacet {
  return {
    resize: async (name, resources) => {
      await session.require(name)
      const folder = session.folder(name)
      return withLock(folder, name, async () => {
        const record = await session.require(name)
        return resizeRecord(record, { folder, resources, group: groupName(session, name) })
      })
    },
  }
}

interface Resizing {
  readonly folder: string
  readonly resources: Resources
  readonly group: string
}

async function resizeRecord(
  record: SandboxRecord,
  { folder, resources, group }: Resizing,
): Promise<EnvironmentState> {
  const facts = loadLimitFacts(group, record.caller.uid)
  const plan = planLimits(resources, facts)
  assertEnforced(plan)
  const next: SandboxRecord = { ...record, resources: { ...record.resources, ...resources } }
  const running = isRunning(record) ? applyNow(record.name, record.holder, plan) : undefined
  const changed = running === undefined ? next : { ...next, holder: running }
  await saveRecord(folder, changed)
  return stateOf(changed, listPorts(changed))
}

function assertEnforced({ limits }: LimitPlan): void {
  const loose = limits.find(({ enforcedBy }) => enforcedBy === null || enforcedBy === 'prlimit')
  if (loose === undefined) return
  throw new HolmError(
    'HOLM_BLUEPRINT_UNSUPPORTED',
    `the sandbox cannot change the limit ${loose.name} here: no control group enforces it`,
    { hint: 'Set it in the blueprint and recreate the environment, or use the provider docker.' },
  )
}

/** The holder with the new limits. A limit that it was started without needs a group that its processes are not in. */
function applyNow(name: string, holder: Holder, plan: LimitPlan): Holder {
  const missing = plan.folders.find((folder) => !holder.cgroups.includes(folder) || !existsSync(folder))
  if (missing !== undefined) {
    throw new HolmError('HOLM_ENVIRONMENT_RUNNING', `${name} was started without ${describe(plan)}`, {
      hint: `Stop it first: holm stop ${name}`,
    })
  }
  writeAll(plan.writes)
  const fresh = new Set<LimitName>(plan.limits.map((each) => each.name))
  return { ...holder, limits: [...holder.limits.filter((each) => !fresh.has(each.name)), ...plan.limits] }
}

function describe({ limits }: LimitPlan): string {
  return `a limit of ${limits.map((each) => each.name).join(', ')}`
}

/** All or none: what the kernel refuses (memory that is in use) takes the others back. */
function writeAll(writes: readonly CgroupWrite[]): void {
  const undo: (() => void)[] = []
  try {
    for (const { folder, file, value } of writes) {
      const target = path.join(folder, file)
      const before = readFileSync(target, 'utf8')
      writeFileSync(target, value)
      undo.push(() => writeFileSync(target, before))
    }
  } catch (error) {
    for (const each of undo.toReversed()) each()
    throw new HolmError('HOLM_BLUEPRINT_UNSUPPORTED', 'the kernel refused the new limits', {
      hint: 'Ask for more memory than is in use, or stop the environment first.',
      cause: error,
    })
  }
}
