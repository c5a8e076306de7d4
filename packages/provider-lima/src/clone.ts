import { rename } from 'node:fs/promises'
import { HolmError } from '@holm/core'
import type { CloneFacet, EnvironmentState } from '@holm/core'
import { argv } from './argv.ts'
import { createMs, makeEnvironment } from './create.ts'
import { mustStop } from './failures.ts'
import type { Session } from './session.ts'
import { stateOf } from './state.ts'
import { configFile, draftFile, requireStored } from './store.ts'

/** The first Lima with `limactl clone`. */
export const cloneVersion = '1.2.0'

/**
 * Lima copies the disk (copy-on-write where the file system can) and everything else of the origin; the configuration
 * is then replaced by the one of `spec`. Lima makes a new cloud-init instance-id and MAC address from the new name.
 */
export function createClone(session: Session): CloneFacet {
  return {
    clone: async (name, spec, ctx) => {
      const origin = await requireStored(session, name)
      await session.requireVersion(cloneVersion, 'limactl clone', ctx)
      assertStopped(await stateOf(session, origin, ctx))
      // The disk is the origin's, whatever the base of the spec: the image it once came from stays named.
      const { image } = origin.record
      const options = {
        ...(spec.options['lima'] as object | undefined),
        image,
        vmType: origin.record.vmType,
      }
      const cloned = { ...spec, options: { ...spec.options, lima: options } }
      return makeEnvironment(session, { spec: cloned, ctx }, async ({ instance }, file) => {
        ctx.progress({ message: `cloning the virtual machine ${origin.instance}` })
        const action = `clone ${name}`
        const request = { argv: argv.clone(origin.instance, instance), action, timeoutMs: createMs }
        await session.run({ ...request, environment: name }, ctx)
        await session.run({ argv: argv.validate(file), action, environment: spec.name }, ctx)
        // The draft becomes the configuration, and is gone as one: there is no moment without labels.
        await rename(draftFile(session, instance), configFile(session, instance))
      })
    },
  }
}

function assertStopped({ name, status, reason }: EnvironmentState): void {
  if (status === 'stopped') return
  if (status === 'running') throw mustStop(name, 'clone')
  throw new HolmError('HOLM_ENVIRONMENT_FAILED', `${name} cannot be cloned: ${reason ?? status}`, {
    hint: 'Make it again, or clone another.',
  })
}
