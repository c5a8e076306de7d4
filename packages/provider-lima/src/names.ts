import { createHash } from 'node:crypto'
import path from 'node:path'
import { HolmError } from '@holm/core'

/** The longest socket in an instance's folder: ssh appends 16 characters to the name while it makes one. */
const longestSocket = 'ssh.sock.1234567890123456'

/** Bytes of a unix socket's path, its end included (unix(4), unix(7)). */
const socketPathMax: Partial<Record<NodeJS.Platform, number>> = { darwin: 104 }

/** What Lima takes for an identifier. */
const identifier = /^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$/
const identifierMax = 76

export const instancePrefix = 'holm-'

export interface NameScope {
  readonly namespace: string
  /** LIMA_HOME. */
  readonly home: string
  readonly platform: NodeJS.Platform
}

/**
 * Name of an environment's instance: the plain one where Lima takes it and its sockets fit, else a hash of it. The record
 * says whose it is. HOLM_PROVIDER_UNAVAILABLE when not even that fits.
 */
export function instanceName(scope: NameScope, name: string): string {
  const plain = `${instancePrefix}${scope.namespace}-${name}`
  if (identifier.test(plain) && plain.length <= identifierMax && fits(scope, plain)) return plain
  const hash = createHash('sha256').update(`${scope.namespace}\0${name}`).digest('hex').slice(0, 12)
  const short = `${instancePrefix}${hash}`
  if (fits(scope, short)) return short
  throw new HolmError(
    'HOLM_PROVIDER_UNAVAILABLE',
    `the path of Lima's folder is too long for its sockets: ${scope.home}`,
    { hint: 'Set LIMA_HOME to a shorter path.' },
  )
}

function fits({ home, platform }: NameScope, instance: string): boolean {
  const socket = path.posix.join(home, instance, longestSocket)
  return Buffer.byteLength(socket) < (socketPathMax[platform] ?? 108)
}

/** A tag that Lima, qemu-img and the monitor's command line take as one word; never a number, which would be an id. */
export function snapshotTag(snapshot: string): string {
  if (/^[A-Za-z][A-Za-z0-9_-]{0,60}$/.test(snapshot)) return `holm-${snapshot}`
  return `holm-x-${createHash('sha256').update(snapshot).digest('hex').slice(0, 16)}`
}
