// The process that is limactl: this one, or one whose call the server answers.
import { AsyncLocalStorage } from 'node:async_hooks'

/** Of a call that the server answers: what it has written so far. */
export const callers = new AsyncLocalStorage()

const streams = { 1: process.stdout, 2: process.stderr }

export function write(text, descriptor = 1) {
  const written = callers.getStore()
  if (written) written.push({ text, descriptor })
  else streams[descriptor].write(text)
}

/** Ends limactl, from wherever it is thrown. */
export class End extends Error {
  constructor(code) {
    super(`limactl ends with ${code}`)
    this.code = code
  }
}
