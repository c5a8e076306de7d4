import { HolmError } from '@holm/core'
import type { ProviderContext } from '@holm/core'

/** What a program makes of these bytes. */
export async function pipeThrough(
  argv: readonly string[],
  data: Uint8Array,
  { runner, signal }: Pick<ProviderContext, 'runner' | 'signal'>,
): Promise<Buffer> {
  const process = await runner.spawn(argv, { stdin: 'pipe', signal })
  const errors: Buffer[] = []
  process.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
  process.stdin?.end(data)
  const chunks: Buffer[] = []
  for await (const chunk of process.stdout) chunks.push(chunk as Buffer)
  const { code } = await process.exited
  if (code === 0) return Buffer.concat(chunks)
  const text = Buffer.concat(errors).toString().trim()
  throw new HolmError('HOLM_COMMAND_FAILED', `${argv.join(' ')} ended with ${code}: ${text}`)
}
