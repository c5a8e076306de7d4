import type { ArchiveManifest, ExportOptions } from '@holm/core'
import { HolmError } from '@holm/core'
import type { BuiltinCommand, BuiltinInput } from '../builtin.ts'
import { formatBytes } from '../output/units.ts'
import { callOptions, optional, readText } from './shared.ts'

const group = 'Images and copies'

export const exportCommand: BuiltinCommand = {
  id: 'export',
  group,
  summary: 'Write an environment into one portable archive.',
  description:
    'The archive holds the root filesystem, the data of named volumes and how the environment was made, without secrets. Any ' +
    'provider that starts from a root filesystem can import it. The project folder is not part of it unless --with-files asks.',
  args: [
    { name: 'environment', description: 'Environment to export.', required: true, completes: 'environment' },
    {
      name: 'file',
      description: 'Where to: .tar, .tar.gz or .tar.zst; `-` is the standard output. Absent: NAME.tar.',
      completes: 'file',
    },
  ],
  flags: {
    'with-files': { type: 'boolean', description: 'Also the files of writable bind mounts.' },
    force: { type: 'boolean', description: 'Replace the file when it is there.' },
  },
  examples: [
    { command: 'holm export web web.tar.zst', description: 'Write it, compressed.' },
    { command: 'holm export web - | ssh host holm import - web', description: 'Move it to another machine.' },
  ],
  async run(input) {
    const { args, flags } = input
    const file = args['file'] ?? `${args['environment'] ?? ''}.tar`
    let manifest: ArchiveManifest | undefined
    const stream = input.host.export(args['environment'], {
      ...callOptions(input),
      withFiles: flags['with-files'] === true,
      compression: compressionOf(file),
      onManifest: (found) => (manifest = found),
    })
    if (file === '-') return writeOut(input, stream)
    const sizeBytes = await writeFile(input, file, stream)
    return {
      data: { file, sizeBytes, manifest },
      text: `${file} holds ${args['environment'] ?? ''} (${formatBytes(sizeBytes)})`,
    }
  },
}

function compressionOf(file: string): NonNullable<ExportOptions['compression']> {
  if (/\.t?gz$/.test(file)) return 'gzip'
  return /\.t?zst$/.test(file) ? 'zstd' : 'none'
}

async function writeOut(
  { streams, terminal }: BuiltinInput,
  stream: AsyncIterable<Uint8Array>,
): Promise<undefined> {
  if (terminal.json || streams.stdout.isTTY) {
    throw new HolmError('HOLM_USAGE', 'the standard output cannot take an archive here', {
      hint: 'Redirect it to a file or a program, without --json; or name a file.',
    })
  }
  const { Readable } = await import('node:stream')
  const { pipeline } = await import('node:stream/promises')
  await pipeline(Readable.from(stream), streams.stdout, { end: false })
}

/** Written beside its place and moved: half an archive never has the name of a whole one. */
async function writeFile(
  { flags, cwd, signal }: BuiltinInput,
  name: string,
  stream: AsyncIterable<Uint8Array>,
): Promise<number> {
  const { createWriteStream, existsSync } = await import('node:fs')
  const { rename, rm, stat } = await import('node:fs/promises')
  const { resolve } = await import('node:path')
  const { Readable } = await import('node:stream')
  const { pipeline } = await import('node:stream/promises')
  const file = resolve(cwd, name)
  if (existsSync(file) && flags['force'] !== true)
    throw new HolmError('HOLM_USAGE', `${file} is there already`, { hint: 'Add --force to replace it.' })
  const draft = `${file}.${process.pid}.part`
  try {
    await pipeline(Readable.from(stream), createWriteStream(draft, { mode: 0o600 }), { signal })
    await rename(draft, file)
    return (await stat(file)).size
  } catch (error) {
    await rm(draft, { force: true })
    throw explain(error, file, signal)
  }
}

function explain(error: unknown, file: string, signal: AbortSignal): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (signal.aborted) return new HolmError('HOLM_INTERRUPTED', 'interrupted', { cause: error })
  if (code === 'ENOSPC')
    return new HolmError('HOLM_DISK_FULL', `no space is left for ${file}`, {
      hint: 'Free some space.',
      cause: error,
    })
  if (code === 'ENOENT' || code === 'EACCES' || code === 'EISDIR' || code === 'EROFS')
    return new HolmError('HOLM_USAGE', `${file} cannot be written: ${code}`, {
      hint: 'Name a file in a folder that exists and that you may write.',
      cause: error,
    })
  return error
}

export const importCommand: BuiltinCommand = {
  id: 'import',
  group,
  summary: 'Make an environment from an archive that export wrote.',
  description:
    'Every sum in the archive is checked before anything is made. Nothing is installed: the environment starts from the ' +
    "archive's root filesystem, on any provider that takes one. Secrets, commands of the machine itself and what was looser than the defaults are not taken over.",
  args: [
    {
      name: 'file',
      description: 'The archive; `-` is the standard input.',
      required: true,
      completes: 'file',
    },
    { name: 'name', description: 'Name of the environment; absent: the one it had.' },
  ],
  flags: {
    provider: { type: 'string', char: 'p', description: 'Make it on this provider.', completes: 'provider' },
    files: {
      type: 'string',
      description: 'Empty folder for the files of bind mounts, when the archive has some. Absent: ./NAME.',
      completes: 'file',
    },
  },
  examples: [
    { command: 'holm import web.tar.zst', description: 'Make it under the name it had.' },
    {
      command: 'holm import web.tar copy -p sandbox',
      description: 'Under another name, on another provider.',
    },
  ],
  async run(input) {
    const { args, host, cwd, signal } = input
    const result = await host.import(await openArchive(input, args['file'] ?? ''), {
      cwd,
      signal,
      ...optional('name', args['name']),
      ...optional('provider', readText(input, 'provider')),
      ...optional('filesFolder', readText(input, 'files')),
    })
    const { name, provider, status } = result.environment
    return { data: result, text: `${name} is ${status} on ${provider}` }
  },
}

async function openArchive({ cwd, streams }: BuiltinInput, name: string): Promise<AsyncIterable<Uint8Array>> {
  if (name === '-') return streams.stdin as AsyncIterable<Uint8Array>
  const { createReadStream } = await import('node:fs')
  const { stat } = await import('node:fs/promises')
  const { resolve } = await import('node:path')
  const file = resolve(cwd, name)
  const found = await stat(file).catch(() => undefined)
  if (!found?.isFile())
    throw new HolmError('HOLM_USAGE', `there is no file ${file}`, { hint: 'Name an archive of holm export.' })
  return createReadStream(file) as AsyncIterable<Uint8Array>
}
