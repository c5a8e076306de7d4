import { StringDecoder } from 'node:string_decoder'
import type { Readable } from 'node:stream'
import { abortError } from '../../errors.ts'
import type { Provider } from '../../provider.ts'
import type { RunResult } from '../../process.ts'
import type { EnvironmentSpec } from '../../spec.ts'
import type { Inside } from '../provision/index.ts'
import type { Operation } from '../operation.ts'
import { abandonAfter } from './abandon.ts'
import { withDefaults, type ExecDefaultsInput } from './exec-env.ts'

export interface InsideOptions {
  readonly provider: Provider
  readonly name: string
  readonly operation: Operation
  readonly defaults: ExecDefaultsInput
}

/** Runs commands in an environment for provisioning and lifecycle: output as it comes, collected, bounded. */
export function createInside({ provider, name, operation, defaults }: InsideOptions): Inside {
  return {
    run: async ({ input, signal, ...request }, onOutput) => {
      const context = signal === undefined ? operation.context : { ...operation.context, signal }
      const process = await provider.exec(
        name,
        withDefaults({ ...request, stdin: input === undefined ? 'ignore' : 'pipe' }, defaults),
        context,
      )
      process.stdin?.on('error', () => undefined)
      process.stdin?.end(input)
      const end = Promise.all([
        collectText(process.stdout, (text) => onOutput?.('stdout', text)),
        collectText(process.stderr, (text) => onOutput?.('stderr', text)),
        process.exited,
      ])
      const [stdout, stderr, exit] = await abandonAfter(end, context.signal)
      if (context.signal.aborted) throw abortError(context.signal)
      return { code: exit.code, stdout, stderr } satisfies RunResult
    },
  }
}

/** Processes have no other user than the caller; everything else has root. */
export function adminOf(provider: Provider): string | undefined {
  return provider.traits.isolation === 'process' || provider.traits.isolation === 'none' ? undefined : 'root'
}

/** For what holm itself does inside, as its administrator: nothing of the user's own surroundings. */
export function createAdminInside({
  provider,
  operation,
  spec,
}: Pick<InsideOptions, 'provider' | 'operation'> & { readonly spec: EnvironmentSpec }): Inside {
  return createInside({
    provider,
    name: spec.name,
    operation,
    defaults: {
      spec: { ...spec, exec: { env: {}, probe: 'none' } },
      user: adminOf(provider),
      workdir: undefined,
      userEnv: {},
      secrets: {},
    },
  })
}

const kept = 1024 * 1024

/** Passes text on as it comes, never cutting a character; returns the last MiB. */
async function collectText(stream: Readable, onText: (text: string) => void): Promise<string> {
  const decoder = new StringDecoder('utf8')
  let text = ''
  for await (const chunk of stream) {
    const piece = decoder.write(Buffer.from(chunk as Uint8Array))
    text = (text + piece).slice(-kept)
    if (piece !== '') onText(piece)
  }
  const end = decoder.end()
  if (end !== '') onText(end)
  return text + end
}
