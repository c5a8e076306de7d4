import path from 'node:path'
import { HolmError, assertNotAborted } from '@holm/core'
import type { FilesFacet, ProviderContext } from '@holm/core'
import { shellArgv, passEnvironment } from './argv.ts'
import { terminate } from './lifecycle.ts'
import { planMounts, prepareMounts, releaseMounts } from './mounts.ts'
import type { WslRecord } from './record.ts'
import { mountsPart } from './scripts.ts'
import { assertReady, type Session } from './session.ts'
import { stateOf } from './state.ts'
import { readAll } from './streams.ts'
import { tidyContext } from './wait.ts'
import { runShell } from './wsl.ts'

const copyMs = 60 * 60_000

const putScript = `${mountsPart}[ -d "$1" ] || { echo "No such file or directory: $1" >&2; exit 2; }
exec tar -x -p -f - -C "$1"`

const getScript = `${mountsPart}[ -e "$1/$2" ] || [ -L "$1/$2" ] || { echo "No such file or directory: $1/$2" >&2; exit 2; }
exec tar -c -f - -C "$1" -- "$2"`

/** tar streams, through the tar inside. WSL starts a stopped distribution for it; it is ended again afterwards. */
export function createFiles(session: Session): FilesFacet {
  return {
    put: async (name, { path: target, tar }, ctx) => {
      const { mounts, release } = await openDistribution(session, { name, mounted: true }, ctx)
      try {
        const doing = `copy to ${target}`
        const distribution = session.distribution(name)
        const request = {
          distribution,
          script: putScript,
          words: [...mounts, target],
          input: tar,
          doing,
          timeoutMs: copyMs,
        }
        const { code, text, errorText } = await runShell(session.machine, request, ctx)
        if (code !== 0) throw copyError(doing, `${errorText}${text}`, code)
      } finally {
        await release()
      }
    },
    async *get(name, given, ctx) {
      const plain = path.posix.normalize(given).replace(/(.)\/$/, '$1')
      const words = [path.posix.dirname(plain), path.posix.basename(plain) || '.']
      yield* streamInside(
        session,
        { name, script: getScript, words, doing: `copy ${given}`, mounted: true },
        ctx,
      )
    },
  }
}

export interface InsideStream {
  readonly name: string
  readonly script: string
  readonly words: readonly string[]
  readonly doing: string
  /** Mount what the environment mounts, although it is stopped; the script begins with mountsPart. */
  readonly mounted?: boolean
}

/** What a script of holm's writes, byte by byte; the error of one that fails comes at the end. */
export async function* streamInside(
  session: Session,
  { name, script, words, doing, mounted = false }: InsideStream,
  ctx: ProviderContext,
): AsyncIterable<Uint8Array> {
  const { mounts, release } = await openDistribution(session, { name, mounted }, ctx)
  try {
    const { machine } = session
    const argv = shellArgv({
      distribution: session.distribution(name),
      script,
      words: ['holm', ...mounts, ...words],
    })
    const child = await ctx.runner.spawn([machine.wsl, ...argv], {
      env: passEnvironment(machine.env, {}).env,
      ...(machine.distribution === undefined ? {} : { cwd: '/' }),
      signal: ctx.signal,
    })
    const errors = readAll(child.stderr)
    for await (const chunk of child.stdout as AsyncIterable<Uint8Array>) yield chunk
    const { code } = await child.exited
    assertNotAborted(ctx.signal)
    if (code !== 0) throw copyError(doing, (await errors).toString('utf8'), code)
  } finally {
    await release()
  }
}

function copyError(doing: string, said: string, code: number): HolmError {
  const text = said.trim().split('\n')[0] ?? ''
  const missing = /No such file|Cannot open|Cannot stat|Not a directory/.test(text)
  return new HolmError(
    missing ? 'HOLM_USAGE' : 'HOLM_COMMAND_FAILED',
    `cannot ${doing}: ${text || `tar ended with ${code}`}`,
    {
      hint: missing ? 'Name a file or folder that exists inside.' : 'Look at the message of tar.',
    },
  )
}

interface Opened {
  /** Words for mountsPart. */
  readonly mounts: readonly string[]
  release(): Promise<void>
}

/** A running environment is used as it is. A stopped one is kept from being started meanwhile, and ended afterwards. */
async function openDistribution(
  session: Session,
  { name, mounted }: { readonly name: string; readonly mounted: boolean },
  ctx: ProviderContext,
): Promise<Opened> {
  const record = await session.require(name, ctx)
  const state = stateOf(record, await session.look(ctx))
  assertReady(record, state)
  if (state.status === 'running') return { mounts: mounted ? ['0'] : [], release: async () => undefined }
  const { promise: done, resolve: finish } = Promise.withResolvers<void>()
  const { promise: begun, resolve: begin } = Promise.withResolvers<readonly string[]>()
  const locked = session.lock(name, ctx, async () => {
    try {
      begin(mounted ? await showMounts(session, record, ctx) : [])
      await done
    } finally {
      await terminate(session, name, tidyContext(ctx))
      if (mounted) await releaseMounts(session, record, tidyContext(ctx))
    }
  })
  const mounts = await Promise.race([begun, locked.then(() => [])])
  return {
    mounts,
    release: () => {
      finish()
      return locked
    },
  }
}

async function showMounts(
  session: Session,
  record: WslRecord,
  ctx: ProviderContext,
): Promise<readonly string[]> {
  const layout = await session.layout(ctx)
  const { parsePath } = session.machine
  const plan = planMounts({ record, layout, namespace: session.options.namespace, parsePath })
  await prepareMounts(session, { record, plan }, ctx)
  return plan.words
}
