import { sha256 as hash } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'

/**
 * SHA-256 of a short text, 64 hex digits. In JavaScript: loading node:crypto takes longer (7 ms of processor) than hashing the few
 * kilobytes for which a command would load it. Files are hashed by node:crypto.
 */
export function sha256(text: string): string {
  return bytesToHex(hash(utf8ToBytes(text)))
}
