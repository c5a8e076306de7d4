import { createWriteStream } from 'node:fs'
import { request, type IncomingMessage } from 'node:http'
import { pipeline } from 'node:stream/promises'

interface EngineObject {
  readonly Id?: string
  readonly Name?: string
  readonly Names?: readonly string[]
  readonly Labels?: Readonly<Record<string, string>> | null
}

/** Everything of an engine that carries the namespace in a name or label; nothing where there is no engine. */
export async function listEngineTraces(host: string, namespace: string): Promise<string[]> {
  if (host === '') return []
  const socket = host.replace('unix://', '')
  const { Volumes } = (await ask(socket, '/volumes')) as { Volumes: EngineObject[] | null }
  const all = {
    container: (await ask(socket, '/containers/json?all=1')) as EngineObject[],
    volume: Volumes ?? [],
    network: (await ask(socket, '/networks')) as EngineObject[],
    // An imported base carries no namespace: it is shared, as a pulled image would be, and stays.
    image: (await ask(socket, '/images/json?all=1')) as EngineObject[],
  }
  return Object.entries(all).flatMap(([kind, objects]) =>
    objects
      .filter((object) => JSON.stringify(object).includes(namespace))
      .map((object) => `${kind} ${describeObject(object)}`),
  )
}

/** Removes the volumes of a namespace: a failed `up` keeps named ones, and a failed test leaves them to nobody. */
export async function removeEngineVolumes(host: string, namespace: string): Promise<void> {
  if (host === '') return
  const socket = host.replace('unix://', '')
  const { Volumes } = (await ask(socket, '/volumes')) as { Volumes: EngineObject[] | null }
  const names = (Volumes ?? [])
    .map(({ Name }) => Name ?? '')
    .filter((name) => name.startsWith(`${namespace}-`))
  for (const name of names) await ask(socket, `/volumes/${name}`, 'DELETE')
}

/** What `docker export` writes: the files of a container as a plain tarball, with what the engine puts into every container. */
export async function exportContainer(host: string, container: string, file: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const path = `/containers/${encodeURIComponent(container)}/export`
  const call = request({ socketPath: host.replace('unix://', ''), path, timeout: 60_000 }, resolve)
  call.on('error', reject)
  call.on('timeout', () => call.destroy(new Error(`${path} was not answered`)))
  call.end()
  const response = await promise
  if (response.statusCode !== 200) throw new Error(`${path}: ${response.statusCode}`)
  await pipeline(response, createWriteStream(file))
}

function describeObject({ Id, Name, Names }: EngineObject): string {
  return Name ?? Names?.join(' ') ?? Id ?? '?'
}

function ask(socketPath: string, path: string, method = 'GET'): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>()
  const call = request({ socketPath, path, method, timeout: 10_000 }, (response) => {
    let text = ''
    response.on('data', (chunk: Buffer) => (text += chunk.toString()))
    response.on('end', () => {
      if (response.statusCode === 200) resolve(JSON.parse(text))
      else if (response.statusCode === 204) resolve(undefined)
      else reject(new Error(`${path}: ${response.statusCode} ${text}`))
    })
  })
  call.on('error', reject)
  call.on('timeout', () => call.destroy(new Error(`${path}: no answer`)))
  call.end()
  return promise
}
