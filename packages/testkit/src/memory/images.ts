import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { HolmError } from '@holm/core'
import type { Base, BaseInfo, Facets, ProviderContext } from '@holm/core'
import { assertBase } from './create.ts'
import { linkPrograms } from './folders.ts'
import type { MemoryRuntime } from './runtime.ts'

/** Bases are names without content, except what `build` made. */
export function createImages(runtime: MemoryRuntime): Pick<Facets, 'images' | 'build'> {
  return {
    images: {
      inspect: async (base, ctx) => {
        await runtime.enter('images.inspect', ctx)
        return (await runtime.store.read()).images[keyOf(base)]
      },
      prepare: async (base, ctx) => {
        await runtime.enter('images.prepare', ctx)
        assertBase(base)
        return hold(runtime, base, hash(keyOf(base)))
      },
      remove: async (base, ctx) => {
        await runtime.enter('images.remove', ctx)
        const removed = await runtime.store.update(({ images }) => {
          const info = images[keyOf(base)]
          delete images[keyOf(base)]
          return info
        })
        if (removed) await rm(runtime.folders.imageOf(removed.id), { recursive: true, force: true })
      },
    },
    build: {
      build: async (base, ctx) => {
        await runtime.enter('build.build', ctx)
        const id = await buildImage(runtime, base, ctx)
        return hold(runtime, { kind: 'image', reference: `memory:${id}` }, id)
      },
    },
  }
}

function hold(runtime: MemoryRuntime, base: Base, id: string): Promise<BaseInfo> {
  return runtime.store.update(({ images }) => {
    images[keyOf(base)] ??= { base, id, labels: {}, env: {} }
    return structuredClone(images[keyOf(base)] as BaseInfo)
  })
}

/** Runs the RUN lines of the Dockerfile in an empty folder; the same file is not built twice. */
async function buildImage(
  runtime: MemoryRuntime,
  base: Extract<Base, { kind: 'build' }>,
  ctx: ProviderContext,
): Promise<string> {
  const text = await readFile(base.dockerfile, 'utf8')
  const id = hash(JSON.stringify([text, base.args]))
  const folder = runtime.folders.imageOf(id)
  if (existsSync(folder)) return id
  const unfinished = `${folder}.${process.pid}`
  await mkdir(unfinished, { recursive: true })
  await linkPrograms(runtime.folders.bin, {})
  try {
    for (const command of runLines(text)) await runLine(runtime, { command, cwd: unfinished }, ctx)
    await rename(unfinished, folder)
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
  return id
}

function runLines(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('RUN '))
    .map((line) => line.slice(4))
}

async function runLine(
  runtime: MemoryRuntime,
  { command, cwd }: { readonly command: string; readonly cwd: string },
  ctx: ProviderContext,
): Promise<void> {
  const env = { PATH: runtime.folders.bin }
  const { code, stdout, stderr } = await ctx.runner.run(['sh', '-c', command], {
    cwd,
    env,
    signal: ctx.signal,
  })
  if (code === 0) return
  throw new HolmError(
    'HOLM_COMMAND_FAILED',
    `RUN ${command} ended with ${code}: ${(stdout + stderr).slice(-500)}`,
  )
}

function keyOf(base: Base): string {
  return JSON.stringify(base)
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}
