import { randomUUID } from 'node:crypto'
import type { CommandSpec } from '../../spec.ts'
import type { Inside, InsideRequest, InsideResult, OnOutput } from './inside.ts'

/** Runs its words one after another up to the first that fails, and says on both streams where each one ended. */
const driver = `mark=$1
shift
for script do
  /bin/sh -c "$script"
  code=$?
  printf '\\036%s %s\\036' "$mark" "$code"
  printf '\\036%s %s\\036' "$mark" "$code" >&2
  [ "$code" = 0 ] || exit "$code"
done`

/** Shell commands at the begin of a sequence: what can be run by one shell. Groups of several run in parallel, so they end it. */
export function listChain(groups: readonly (readonly CommandSpec[])[]): string[] {
  const chain: string[] = []
  for (const group of groups) {
    const [command, ...others] = group
    if (command === undefined) continue
    if (others.length > 0 || !('shell' in command)) break
    chain.push(command.shell)
  }
  return chain
}

/**
 * The same environment, where the given scripts, called for in this order, are run by one program: starting a program in a
 * container takes ten times as long as what most lifecycle commands do. Everything else goes through unchanged. A script
 * may begin before it is called for, as soon as the one before it has ended well.
 */
export function chainScripts(inside: Inside, scripts: readonly string[]): Inside {
  if (scripts.length < 2) return inside
  let position = 0
  let chain: Chain | undefined
  return {
    run(request, onOutput) {
      if (position >= scripts.length || !isScript(request, scripts[position]))
        return inside.run(request, onOutput)
      const index = position
      position += 1
      chain ??= startChain(inside, { scripts, request })
      return chain.result(index, onOutput)
    },
  }
}

function isScript({ argv, input, env, user, cwd }: InsideRequest, script: string | undefined): boolean {
  const plain = [input, env, user, cwd].every((given) => given === undefined)
  return plain && argv.length === 3 && argv[0] === '/bin/sh' && argv[1] === '-c' && argv[2] === script
}

interface Chain {
  result(index: number, onOutput?: OnOutput): Promise<InsideResult>
}

/** One script's part of the output, kept until somebody calls for it. */
interface Part {
  readonly text: { stdout: string; stderr: string }
  readonly ended: { stdout: boolean; stderr: boolean }
  code: number | undefined
  onOutput: OnOutput | undefined
  readonly over: PromiseWithResolvers<void>
}

function createPart(): Part {
  return {
    text: { stdout: '', stderr: '' },
    ended: { stdout: false, stderr: false },
    code: undefined,
    onOutput: undefined,
    over: Promise.withResolvers<void>(),
  }
}

function startChain(
  inside: Inside,
  { scripts, request }: { readonly scripts: readonly string[]; readonly request: InsideRequest },
): Chain {
  const mark = `holm-${randomUUID()}`
  const parts = scripts.map(createPart)
  const readers = {
    stdout: createReader('stdout', { mark, parts }),
    stderr: createReader('stderr', { mark, parts }),
  }
  const argv = ['/bin/sh', '-c', driver, 'holm', mark, ...scripts]
  const run = inside.run({ ...request, argv }, (stream, text) => readers[stream].push(text))
  // Told by the parts: whoever waits for one waits for this as well.
  run.catch(() => undefined)
  return {
    async result(index, onOutput) {
      const part = parts[index] ?? createPart()
      part.onOutput = onOutput
      for (const stream of ['stdout', 'stderr'] as const)
        if (part.text[stream] !== '') onOutput?.(stream, part.text[stream])
      const last = index === parts.length - 1
      const end = await Promise.race([run, ...(last ? [] : [part.over.promise])])
      for (const reader of Object.values(readers)) if (end !== undefined) reader.flush()
      return { code: part.code ?? end?.code ?? 0, ...part.text }
    },
  }
}

interface Reader {
  push(text: string): void
  /** Passes on what was held back because it might have been the begin of a mark. */
  flush(): void
}

function createReader(
  stream: 'stdout' | 'stderr',
  { mark, parts }: { readonly mark: string; readonly parts: readonly Part[] },
): Reader {
  const pattern = new RegExp(`\\u001e${mark} (\\d+)\\u001e`)
  let held = ''
  let index = 0
  const give = (text: string): void => {
    const part = parts[index]
    if (part === undefined || text === '') return
    part.text[stream] = (part.text[stream] + text).slice(-keptText)
    part.onOutput?.(stream, text)
  }
  const close = (code: number): void => {
    const part = parts[index]
    index += 1
    if (part === undefined) return
    part.code = code
    part.ended[stream] = true
    if (part.ended.stdout && part.ended.stderr) part.over.resolve()
  }
  return {
    push(text) {
      held += text
      for (let found = pattern.exec(held); found !== null; found = pattern.exec(held)) {
        give(held.slice(0, found.index))
        held = held.slice(found.index + found[0].length)
        close(Number(found[1]))
      }
      const open = held.lastIndexOf('\u001e')
      const until = open === -1 || held.length - open > mark.length + longestCode ? held.length : open
      give(held.slice(0, until))
      held = held.slice(until)
    },
    flush() {
      give(held)
      held = ''
    },
  }
}

/** A separator, a space, and a code of up to three digits. */
const longestCode = 6
/** As much as is kept of a command that runs alone. */
const keptText = 1024 * 1024
