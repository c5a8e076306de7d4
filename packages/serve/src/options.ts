import { objectSchema, optionChecks } from '@holm/core'
import type { OptionCheck, StandardSchema } from '@holm/core'

/** The section `plugin.serve` of the configuration. */
export interface ServeConfig {
  /** Origins of web pages that may connect, such as `https://editor.example`. Default: none. */
  readonly origins?: readonly string[]
  /** Longest message. Default 1 MiB. */
  readonly messageBytes?: number
  /** Messages of one connection a second; what comes quicker is read later. Default 500. */
  readonly messagesPerSecond?: number
  /** Default 32. */
  readonly connections?: number
}

const count: OptionCheck = (value) =>
  Number.isSafeInteger(value) && Number(value) > 0 ? undefined : 'must be a whole number above 0'

export const configSchema: StandardSchema<ServeConfig> = objectSchema<ServeConfig>({
  origins: optionChecks.texts,
  messageBytes: (value) =>
    Number.isSafeInteger(value) && Number(value) >= 65_536
      ? undefined
      : 'must be a number of bytes from 65536',
  messagesPerSecond: count,
  connections: count,
})

export interface Limits {
  readonly messageBytes: number
  readonly messagesPerSecond: number
  readonly connections: number
  readonly callsAtOnce: number
  readonly executionsAtOnce: number
  readonly subscriptionsAtOnce: number
  /** Of a file in one message: base64 makes it a third longer. */
  readonly chunkBytes: number
  /** Unsent bytes of one connection above which nothing more is read from programs for it. */
  readonly calmBytes: number
  /** Unsent bytes at which a connection whose other end does not read is closed. */
  readonly stalledBytes: number
}

export function limitsOf(config: ServeConfig): Limits {
  const messageBytes = config.messageBytes ?? 1024 * 1024
  return {
    messageBytes,
    messagesPerSecond: config.messagesPerSecond ?? 500,
    connections: config.connections ?? 32,
    callsAtOnce: 64,
    executionsAtOnce: 64,
    subscriptionsAtOnce: 64,
    chunkBytes: Math.floor(messageBytes / 2),
    calmBytes: messageBytes,
    stalledBytes: messageBytes * 16,
  }
}
