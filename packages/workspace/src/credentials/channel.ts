import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import type { Readable } from 'node:stream'
import { HolmError } from '@holm/core'
import type { ExecRequest, Process } from '@holm/core'
import type { Broker } from './broker.ts'
import { folderVariable, helper, relay } from './scripts.ts'

export interface ChannelOptions {
  readonly exec: (request: ExecRequest) => Promise<Process>
  readonly broker: Broker
  /** Told when the channel ended before it was closed. */
  readonly onLost: (reason: string) => void
}

export interface Channel {
  /** Variables of the programs that may ask. */
  readonly env: Readonly<Record<string, string>>
  /** Ends the relay, which removes what it made inside. */
  close(): Promise<void>
}

const readyTimeoutMs = 30_000
const endTimeoutMs = 5000
/** Longer lines are none of the helper's. */
const longestLine = 8192

/**
 * A way from programs inside to a broker here: a second program in the environment, whose stdin and stdout are the only
 * connection. It is gone with this process, however that ends. HOLM_COMMAND_FAILED where the environment has no mkfifo or the like.
 */
export async function openChannel({ exec, broker, onLost }: ChannelOptions): Promise<Channel> {
  const folder = `/tmp/.holm-git-${randomBytes(12).toString('hex')}`
  const argv = ['/bin/sh', '-c', relay, 'holm-git-credentials', folder, helper]
  const program = await exec({ argv, cwd: '/', stdin: 'pipe' })
  const said = lastWords(program.stderr)
  const lines = readLines(program.stdout)
  // What is written to one that has ended is told by its end.
  program.stdin?.on('error', () => undefined)
  const close = async (): Promise<void> => {
    program.stdin?.end()
    const ended = program.exited.then(
      () => true,
      () => true,
    )
    const inTime = await Promise.race([ended, setTimeout(endTimeoutMs, false, { ref: false })])
    if (!inTime) await program.kill('SIGKILL').catch(() => undefined)
  }
  const first = await Promise.race([lines.next(), setTimeout(readyTimeoutMs, undefined, { ref: false })])
  if (first?.value !== 'ready') {
    await close()
    throw new HolmError('HOLM_COMMAND_FAILED', said() || 'the environment did not answer', {
      hint: 'See that it has sh and mkfifo, and that /tmp can be written.',
    })
  }
  let closing = false
  const follow = async (): Promise<void> => {
    const reason = await answer(program, lines, broker).catch((error: unknown) => (error as Error).message)
    if (closing) return
    onLost(reason ?? (said() || 'its end inside was ended'))
    await close()
  }
  void follow()
  return {
    env: { [folderVariable]: folder },
    close: () => {
      closing = true
      return close()
    },
  }
}

/** Why it was ended from here; undefined: by the other side. */
async function answer(
  { stdin }: Process,
  lines: AsyncIterator<string, string | undefined>,
  broker: Broker,
): Promise<string | undefined> {
  // One after the other: a helper of this machine may have a question for its user.
  for (;;) {
    const { value, done } = await lines.next()
    if (done) return value
    const [id = '', ...fields] = value.split('\t')
    if (!/^\d{1,10}$/.test(id)) continue
    const answered = await broker(fields)
    if (answered === undefined) return 'too many questions'
    // An empty line is the end of an answer.
    stdin?.write([...answered, ''].map((field) => `${id} ${field}\n`).join(''))
  }
}

async function* readLines(stream: Readable): AsyncGenerator<string, string | undefined> {
  let pending = ''
  stream.setEncoding('utf8')
  for await (const chunk of stream) {
    const lines = (pending + (chunk as string)).split('\n')
    pending = lines.pop() ?? ''
    if ([...lines, pending].some(({ length }) => length > longestLine)) return 'a question without an end'
    yield* lines
  }
  return undefined
}

function lastWords(stream: Readable): () => string {
  let text = ''
  stream.on('data', (chunk: Buffer) => void (text = (text + chunk.toString()).slice(-500)))
  return () => text.trim()
}
