import assert from 'node:assert/strict'
import { isHolmError, type ErrorCode } from '@holm/core'

/** The promise must reject with a HolmError of one of the codes. */
export async function assertRejects(
  promise: Promise<unknown>,
  codes: readonly ErrorCode[],
  what: string,
): Promise<void> {
  const error = await promise.then(
    (value) =>
      assert.fail(`${what}: expected ${codes.join(' or ')}, but it resolved with ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  )
  if (error instanceof assert.AssertionError) throw error
  assertCode(error, codes, what)
}

export function assertCode(error: unknown, codes: readonly ErrorCode[], what: string): void {
  const found = isHolmError(error) ? error.code : `no HolmError (${String(error)})`
  assert.ok(
    isHolmError(error) && codes.includes(error.code),
    `${what}: expected ${codes.join(' or ')}, got ${found}`,
  )
}

/** Same bytes. Says where they part: a textual diff of large buffers would take minutes. */
export function assertBytes(found: Uint8Array, expected: Uint8Array, what: string): void {
  if (Buffer.compare(found, expected) === 0) return
  const at = expected.findIndex((byte, index) => found[index] !== byte)
  const place = at === -1 ? 'after its end' : `at byte ${at}`
  assert.fail(`${what}: ${found.length} bytes instead of ${expected.length}, and they differ ${place}`)
}
