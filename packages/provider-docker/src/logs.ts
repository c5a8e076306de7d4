import type { Readable } from 'node:stream'
import type { LogsFacet } from '@holm/core'
import type Docker from 'dockerode'
import { demuxed } from './demux.ts'
import type { Engine } from './engine.ts'
import { engineError } from './engine-errors.ts'
import { requireContainer } from './lifecycle.ts'

export function logsFacet(engine: Engine): LogsFacet {
  return {
    async *read(name, options, ctx) {
      const request = { ctx, action: `read the log of ${name}`, environment: name }
      const { stream, tty } = await engine.use(request, async (docker, abortSignal) => {
        const info = await requireContainer(docker, { engine, name, ctx })
        const stream = await openLogs(docker, { id: info.Id, ...options, abortSignal })
        return { stream, tty: info.Config.Tty }
      })
      try {
        yield* demuxed(stream, tty)
      } catch (error) {
        throw engineError(error, { ...request, signal: ctx.signal, connection: engine.connection() })
      } finally {
        stream.destroy()
      }
    },
  }
}

interface LogsRequest {
  readonly id: string
  readonly follow: boolean
  readonly tail?: number
  readonly abortSignal: AbortSignal
}

/** Without `follow` dockerode collects everything in memory and tries to read it as JSON: so the call is made below it. */
function openLogs(docker: Docker, { id, follow, tail, abortSignal }: LogsRequest): Promise<Readable> {
  const options = { stdout: true, stderr: true, follow, tail: tail === undefined ? 'all' : String(tail) }
  return new Promise((resolve, reject) => {
    const call = {
      path: `/containers/${id}/logs?`,
      method: 'GET',
      isStream: true,
      statusCodes: { 200: true, 404: 'no such container' },
      abortSignal,
      options,
    }
    docker.modem.dial(call, (error: unknown, stream: unknown) => {
      if (error) reject(error)
      else resolve(stream as Readable)
    })
  })
}
