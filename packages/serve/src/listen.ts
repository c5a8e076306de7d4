import { chmodSync, existsSync, lstatSync, rmSync } from 'node:fs'
import { createConnection, type Server } from 'node:net'
import { dirname } from 'node:path'
import { HolmError } from '@holm/core'

/** The longest path that a unix socket can have: 108 bytes on Linux, 104 on macOS, one of them a NUL. */
const longestPath = 103

/** Listens on a free or given port of this machine alone. HOLM_PORT_TAKEN. */
export async function listenPort(server: Server, port: number): Promise<void> {
  await listen(
    server,
    () => server.listen({ port, host: '127.0.0.1' }),
    (cause) =>
      new HolmError(
        'HOLM_PORT_TAKEN',
        `port ${port} of this machine cannot be used: ${cause.code ?? cause.message}`,
        {
          hint: 'Choose another one, or 0 for a free one: holm serve --port 0',
          cause,
          details: { port },
        },
      ),
  )
}

/**
 * Listens on a unix socket that its owner alone can use, in a folder that is there. One that a killed server left is replaced; one that somebody listens
 * on is HOLM_SOCKET_TAKEN, and whatever else is there stays.
 */
export async function listenSocket(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > longestPath)
    throw new HolmError('HOLM_USAGE', `the path of the socket is longer than ${longestPath} bytes: ${path}`, {
      hint: 'Give a shorter one: holm serve --socket /run/user/1000/holm.sock',
      details: { path },
    })
  if (!existsSync(dirname(path))) throw impossible(path, 'its folder is not there')
  await clear(path)
  // Nobody else can connect in the moment before its mode is set.
  const mask = process.umask(0o177)
  try {
    const listening = listen(
      server,
      () => server.listen({ path }),
      (cause) =>
        cause.code === 'EADDRINUSE'
          ? taken(path, cause)
          : impossible(path, cause.code ?? cause.message, cause),
    )
    process.umask(mask)
    await listening
  } finally {
    process.umask(mask)
  }
  chmodSync(path, 0o600)
}

async function clear(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return
  if (!stat.isSocket())
    throw new HolmError('HOLM_USAGE', `${path} is there already, and is no socket`, {
      hint: 'Choose another path: holm serve --socket PATH',
      details: { path },
    })
  if (await answers(path)) throw taken(path)
  rmSync(path, { force: true })
}

/** Whether somebody listens: a socket of nobody refuses at once. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path)
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', ({ code }: NodeJS.ErrnoException) =>
      resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'),
    )
  })
}

export function taken(path: string, cause?: unknown): HolmError {
  return new HolmError('HOLM_SOCKET_TAKEN', `another holm serve listens on ${path}`, {
    hint: 'Use that one, end it, or choose another path: holm serve --socket PATH',
    cause,
    details: { path },
  })
}

function impossible(path: string, why: string, cause?: unknown): HolmError {
  return new HolmError('HOLM_CONFIG_UNREADABLE', `the socket ${path} cannot be made: ${why}`, {
    hint: 'Choose another path: holm serve --socket PATH',
    cause,
    details: { path },
  })
}

function listen(
  server: Server,
  start: () => void,
  explain: (cause: NodeJS.ErrnoException) => HolmError,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (cause: NodeJS.ErrnoException): void => reject(explain(cause))
    server.once('error', refuse)
    server.once('listening', () => {
      server.off('error', refuse)
      resolve()
    })
    start()
  })
}
