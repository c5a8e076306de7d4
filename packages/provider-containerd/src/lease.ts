import { randomBytes } from 'node:crypto'
import type { Client } from './client.ts'

/** Should holm be killed, containerd itself lets go of what was made after this time, milliseconds. */
const expiryMs = 60 * 60_000

/** What `work` makes under the lease is safe from the garbage collector until it refers to it by itself. */
export async function withLease<T>(client: Client, work: (lease: string) => Promise<T>): Promise<T> {
  const id = `holm-${randomBytes(8).toString('hex')}`
  const labels = { 'containerd.io/gc.expire': new Date(Date.now() + expiryMs).toISOString() }
  await client.call('Leases.Create', { id, labels })
  try {
    return await work(id)
  } finally {
    await client.call('Leases.Delete', { id, sync: false }).catch(() => {})
  }
}

/** Frees the disk space of what nothing refers to any more, and waits for it. */
export async function collectGarbage(client: Client): Promise<void> {
  const id = `holm-${randomBytes(8).toString('hex')}`
  await client.call('Leases.Create', { id, labels: {} })
  await client.call('Leases.Delete', { id, sync: true })
}
