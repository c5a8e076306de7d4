import path from 'node:path'
import { HolmError } from '@holm/core'
import type { FilesFacet, ProviderContext } from '@holm/core'
import { runInside } from './inside.ts'
import { whileRunning } from './lifecycle.ts'
import type { Session } from './session.ts'
import { streamInside } from './stream.ts'

/** Exit code of a script inside for a path that is not there. */
const missing = 44

const putScript = `[ -d "$1" ] || exit ${missing}; exec tar -x -p --numeric-owner -f - -C "$1"`
const getScript = `[ -e "$1" ] || [ -L "$1" ] || exit ${missing}; exec tar -c --numeric-owner -f - -C "$2" -- "$3"`

/** Through tar inside: a virtual disk cannot be looked into from here. A stopped one is started for it. */
export function createFiles(session: Session): FilesFacet {
  return {
    put: (name, entry, ctx) =>
      whileRunning({ session, name, ctx }, async () => {
        const request = { script: putScript, words: [entry.path], input: entry.tar }
        const { code, stderr } = await runInside(session, name, { request, ctx })
        if (code !== 0) throw explain({ name, path: entry.path, code, stderr })
      }),
    get: (name, from, ctx) => getTar(session, { name, from, ctx }),
  }
}

async function* getTar(
  session: Session,
  { name, from, ctx }: { readonly name: string; readonly from: string; readonly ctx: ProviderContext },
): AsyncIterable<Uint8Array> {
  const whole = path.posix.normalize(from).replace(/(.)\/$/, '$1')
  const words = [whole, path.posix.dirname(whole), path.posix.basename(whole)]
  yield* streamInside({ session, name, ctx }, { script: getScript, words }, ({ code, stderr }) => {
    if (code !== 0) throw explain({ name, path: from, code, stderr })
  })
}

interface Failure {
  readonly name: string
  readonly path: string
  readonly code: number
  readonly stderr: string
}

function explain({ name, path: where, code, stderr }: Failure): HolmError {
  if (code === missing) {
    return new HolmError('HOLM_USAGE', `${where} does not exist in ${name}`, { hint: 'Check the path.' })
  }
  return new HolmError('HOLM_COMMAND_FAILED', `tar in ${name} ended with ${code}: ${stderr.trim()}`, {
    hint: 'See that tar is installed inside and the disk is not full.',
  })
}
