import { HolmError } from '@holm/core'
import type { ResizeFacet, Resources } from '@holm/core'
import { diskFile, loadDiskSize } from './disks.ts'
import { tool } from './image.ts'
import { withLock } from './lock.ts'
import { saveRecord, type QemuRecord } from './record.ts'
import type { Session } from './session.ts'
import { isRunning, stateOf } from './state.ts'

/** New limits for the next start: processors and memory are the machine's own, and the disk grows while it is mounted. */
export function createResize(session: Session): ResizeFacet {
  return {
    resize: async (name, resources, ctx) => {
      await session.require(name)
      const folder = session.folder(name)
      return withLock(folder, { name: `environment ${name}` }, async () => {
        const record = await session.require(name)
        if (isRunning(record))
          throw new HolmError(
            'HOLM_ENVIRONMENT_RUNNING',
            `environment ${name} runs: a machine is resized when it is stopped`,
            {
              hint: `Run \`holm stop ${name}\` first.`,
            },
          )
        const disk = await resizeOf(session, record, resources)
        if (disk)
          await tool(
            ['qemu-img', 'resize', '-q', disk.file, String(disk.bytes)],
            { env: session.toolEnv },
            ctx,
          )
        const { untouchedOver: _over, ...rest } = record
        const next: QemuRecord = {
          ...(disk ? rest : record),
          resources: { ...record.resources, ...resources },
        }
        await saveRecord(folder, next)
        return stateOf(next, folder)
      })
    },
  }
}

async function resizeOf(
  session: Session,
  record: QemuRecord,
  { diskBytes }: Resources,
): Promise<{ readonly file: string; readonly bytes: number } | undefined> {
  if (diskBytes === undefined) return undefined
  const file = diskFile(session.layout, record.disk)
  const now = await loadDiskSize(file)
  if (diskBytes === now) return undefined
  if (diskBytes > now) return { file, bytes: diskBytes }
  throw new HolmError(
    'HOLM_BLUEPRINT_UNSUPPORTED',
    `the disk of ${record.name} has ${now} bytes and cannot become smaller (${diskBytes})`,
    { hint: 'Make a new environment with a smaller disk.' },
  )
}
