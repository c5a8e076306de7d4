import { HolmError } from '@holm/core'
import type { ExportFacet } from '@holm/core'
import type { LimaRecord } from './record.ts'
import type { Session } from './session.ts'
import { requireStored } from './store.ts'
import { streamInside } from './stream.ts'

/** What the kernel shows, and what lasts as long as the machine is up. */
const volatile = ['/proc', '/sys', '/dev', '/run', '/tmp']

/** By tar inside. A stopped machine is started for it. */
export function createExport(session: Session): ExportFacet {
  return {
    async *rootfs(name, ctx) {
      const { record } = await requireStored(session, name)
      const script = 'exec tar -c --numeric-owner --one-file-system -f - -C / "$@" .'
      const request = { script, words: excludeWords(record) }
      yield* streamInside({ session, name, ctx }, request, ({ code, stderr }) => {
        // 1: a file changed while it was read. That is so in a machine that runs.
        if (code === 0 || code === 1) return
        throw new HolmError('HOLM_COMMAND_FAILED', `tar in ${name} ended with ${code}: ${stderr.trim()}`, {
          hint: 'See that GNU tar is installed inside.',
        })
      })
    },
  }
}

/** Pure. Mounts are other filesystems and left out as such; named all the same, where one is on the same disk. */
export function excludeWords({ mounts }: Pick<LimaRecord, 'mounts'>): string[] {
  return [...volatile, ...mounts.map(({ target }) => target)].map(
    (folder) => `--exclude=.${folder.replaceAll(/[\\*?[\]]/g, '\\$&')}/*`,
  )
}
