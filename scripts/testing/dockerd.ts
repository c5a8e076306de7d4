import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, openSync, closeSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { lastLines } from '../command.ts'
import { root } from '../root.ts'
import { cleanUp, saveRecord, type EngineRecord } from './engine-records.ts'
import { hasCommand, isRoot } from './machine.ts'
import { createNetwork } from './network.ts'

const readyWithin = 60_000

export interface TestEngine {
  readonly host: string
  stop(): Promise<void>
}

/** Starts an engine that shares nothing with others on this machine, or says why tests go without. */
export async function startDockerd(): Promise<TestEngine | undefined> {
  const missing = ['dockerd', 'ip', 'iptables'].filter((name) => !hasCommand(name))
  if (!isRoot() || missing.length > 0) {
    const reason = isRoot() ? `without ${missing.join(', ')}` : 'not root'
    console.log(`dockerd: not started (${reason}); tests that need it are skipped`)
    return undefined
  }
  const since = performance.now()
  const record = await createRecord()
  try {
    await launch(record)
  } catch (error) {
    console.log(`dockerd: did not start: ${error instanceof Error ? error.message : String(error)}`)
    await cleanUp(record)
    return undefined
  }
  console.log(`dockerd: ready after ${((performance.now() - since) / 1000).toFixed(1)} s`)
  return { host: `unix://${socketOf(record)}`, stop: () => cleanUp(record) }
}

/** Written before anything is made, so that a run that was killed can be cleaned up by the next one. */
async function createRecord(): Promise<EngineRecord> {
  const dataParent = join(root, '.cache', 'dockerd')
  mkdirSync(dataParent, { recursive: true })
  const data = mkdtempSync(join(dataParent, 'data-'))
  const id = data.slice(-6).toLowerCase()
  // Sockets have short path limits: they live under the system's temporary folder.
  const run = mkdtempSync(join(tmpdir(), 'holm-dockerd-'))
  const draft: EngineRecord = { id, owner: process.pid, data, run }
  saveRecord(draft)
  const record = { ...draft, network: await createNetwork(id) }
  saveRecord(record)
  return record
}

function socketOf(record: EngineRecord): string {
  return join(record.run, 'docker.sock')
}

async function launch(record: EngineRecord): Promise<void> {
  const logFile = join(record.run, 'log')
  const log = openSync(logFile, 'a')
  // Its own session, so that Ctrl-C reaches only us and we stop it in order.
  const child = spawn('dockerd', flagsFor(record), {
    detached: true,
    stdio: ['ignore', log, log],
    env: engineEnv(),
  })
  closeSync(log)
  let startError: Error | undefined
  child.on('error', (error) => (startError = error))
  child.unref()
  saveRecord({ ...record, pid: child.pid ?? 0 })
  Object.assign(record, { pid: child.pid })
  const deadline = Date.now() + readyWithin
  while (!(await answers(socketOf(record)))) {
    if (startError) throw startError
    if (hasEnded(child)) throw new Error(`it ended at once\n${tailOf(logFile)}`)
    if (Date.now() > deadline) throw new Error(`no answer within ${readyWithin / 1000} s\n${tailOf(logFile)}`)
    await sleep(50)
  }
}

function flagsFor({ id, data, run, network }: EngineRecord): string[] {
  const pairs = {
    'data-root': data,
    'exec-root': join(run, 'exec'),
    pidfile: join(run, 'pid'),
    host: `unix://${join(run, 'docker.sock')}`,
    bridge: network?.bridge ?? '',
    // Where a system-wide containerd runs, dockerd uses it: our own namespaces keep its containers apart.
    'containerd-namespace': `holm-test-${id}`,
    'containerd-plugins-namespace': `holm-test-plugins-${id}`,
    iptables: 'false',
    'shutdown-timeout': '5',
  }
  return Object.entries(pairs).map(([name, value]) => `--${name}=${value}`)
}

/** dockerd finds containerd and runc in sbin, which is not on everybody's PATH. */
function engineEnv(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

function tailOf(file: string): string {
  return lastLines(readFileSync(file, 'utf8'), 15)
}

function answers(socketPath: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const ping = request({ socketPath, path: '/_ping', timeout: 2_000 }, (response) => {
    response.resume()
    resolve(response.statusCode === 200)
  })
  ping.on('error', () => resolve(false))
  ping.on('timeout', () => ping.destroy())
  ping.end()
  return promise
}
