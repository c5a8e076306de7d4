import type { EnvironmentState, PauseFacet } from '@holm/core'
import { withLock } from './lock.ts'
import { resumeMachine } from './memory.ts'
import { withQmp } from './qmp.ts'
import { saveRecord, type QemuRecord } from './record.ts'
import { notRunning, type Session } from './session.ts'
import { isRunning, stateOf } from './state.ts'

export function createPause(session: Session): PauseFacet {
  const change = async (name: string, paused: boolean): Promise<EnvironmentState> => {
    await session.require(name)
    const folder = session.folder(name)
    return withLock(folder, { name: `environment ${name}` }, async () => {
      const record = await session.require(name)
      if (!isRunning(record)) throw notRunning(record)
      await withQmp(folder, (qmp) => (paused ? qmp.run('stop') : resumeMachine(qmp)))
      const { paused: _paused, ...rest } = record.machine
      const next: QemuRecord = { ...record, machine: { ...rest, ...(paused ? { paused } : {}) } }
      await saveRecord(folder, next)
      return stateOf(next, folder)
    })
  }
  return { pause: (name) => change(name, true), resume: (name) => change(name, false) }
}
