import { notRunning } from '@holm/core'
import type { EnvironmentState, ProviderContext } from '@holm/core'
import type { Container, Task } from './api.ts'
import type { Client } from './client.ts'
import type { Engine } from './engine.ts'
import { ignoreMissing, notFound } from './failure.ts'
import { identifier } from './names.ts'
import { parseRecord, parseState } from './record.ts'
import type { EnvironmentRecord } from './record.ts'
import { loadRun } from './run-record.ts'

/** What a method of the contract is about. */
export interface Target {
  readonly engine: Engine
  readonly name: string
  readonly ctx: ProviderContext
}

/** An environment as containerd has it now. */
export interface Environment {
  readonly container: Container
  readonly record: EnvironmentRecord
  readonly task: Task | undefined
}

/** Two calls at once. Undefined when there is none, or when somebody else made a container of that name. */
export async function findEnvironment(client: Client, name: string): Promise<Environment | undefined> {
  const id = identifier(name)
  const [found, task] = await Promise.all([
    client.call('Containers.Get', { id }).catch(ignoreMissing),
    findTask(client, id),
  ])
  const record = found && parseRecord(found.container)
  return record && { container: found.container, record, task }
}

export async function findTask(client: Client, containerId: string): Promise<Task | undefined> {
  const answer = await client.call('Tasks.Get', { containerId }).catch(ignoreMissing)
  return answer?.process
}

export async function requireEnvironment(client: Client, name: string): Promise<Environment> {
  const found = await findEnvironment(client, name)
  if (found) return found
  throw notFound(name)
}

export async function requireRunning(
  client: Client,
  name: string,
): Promise<Environment & { readonly task: Task }> {
  const { task, ...found } = await requireEnvironment(client, name)
  if (task?.status === 'PAUSED') throw notRunning(name, { status: 'paused' })
  if (task?.status !== 'RUNNING') throw notRunning(name)
  return { ...found, task }
}

export async function stateOf(environment: Environment): Promise<EnvironmentState> {
  return parseState({ ...environment, run: await loadRun(environment.record.folder) })
}
