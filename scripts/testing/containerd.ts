import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { lastLines } from '../command.ts'
import { root } from '../root.ts'
import { cleanUp, saveRecord, type EngineRecord } from './engine-records.ts'
import { hasCommand, isRoot } from './machine.ts'

const readyWithin = 60_000

export interface TestContainerd {
  readonly address: string
  stop(): Promise<void>
}

/** Starts a containerd that shares nothing with others on this machine, or says why tests go without. */
export async function startContainerd(): Promise<TestContainerd | undefined> {
  const missing = ['containerd', 'containerd-shim-runc-v2', 'runc', 'ip', 'iptables'].filter(
    (name) => !hasCommand(name),
  )
  if (!isRoot() || missing.length > 0) {
    const reason = isRoot() ? `without ${missing.join(', ')}` : 'not root'
    console.log(`containerd: not started (${reason}); tests that need it are skipped`)
    return undefined
  }
  const since = performance.now()
  const record = createRecord()
  try {
    await launch(record)
  } catch (error) {
    console.log(`containerd: did not start: ${error instanceof Error ? error.message : String(error)}`)
    await cleanUp(record)
    return undefined
  }
  console.log(`containerd: ready after ${((performance.now() - since) / 1000).toFixed(1)} s`)
  return { address: addressOf(record), stop: () => cleanUp(record) }
}

/** Written before anything is made, so that a run that was killed can be cleaned up by the next one. */
function createRecord(): EngineRecord {
  const dataParent = join(root, '.cache', 'containerd')
  mkdirSync(dataParent, { recursive: true })
  const data = mkdtempSync(join(dataParent, 'data-'))
  // Sockets have short path limits: they live under the system's temporary folder.
  const run = mkdtempSync(join(tmpdir(), 'holm-containerd-'))
  const record = { id: `c${data.slice(-6).toLowerCase()}`, owner: process.pid, data, run }
  saveRecord(record)
  return record
}

function addressOf({ run }: EngineRecord): string {
  return join(run, 'containerd.sock')
}

/** Only what tests need: no Kubernetes, no snapshotter that looks for devices. */
export function containerdConfig({ data, run }: Pick<EngineRecord, 'data' | 'run'>): string {
  const disabled = [
    'io.containerd.grpc.v1.cri',
    'io.containerd.internal.v1.opt',
    ...['aufs', 'btrfs', 'devmapper', 'zfs'].map((name) => `io.containerd.snapshotter.v1.${name}`),
  ]
  return [
    'version = 2',
    `root = ${JSON.stringify(data)}`,
    `state = ${JSON.stringify(join(run, 'state'))}`,
    `disabled_plugins = ${JSON.stringify(disabled)}`,
    '[grpc]',
    `  address = ${JSON.stringify(join(run, 'containerd.sock'))}`,
    '[ttrpc]',
    `  address = ${JSON.stringify(join(run, 'containerd.sock.ttrpc'))}`,
    '',
  ].join('\n')
}

async function launch(record: EngineRecord): Promise<void> {
  const config = join(record.run, 'config.toml')
  writeFileSync(config, containerdConfig(record))
  const logFile = join(record.run, 'log')
  const log = openSync(logFile, 'a')
  // Its own session, so that Ctrl-C reaches only us and we stop it in order.
  const child = spawn('containerd', ['--config', config], {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
  })
  closeSync(log)
  let startError: Error | undefined
  child.on('error', (error) => (startError = error))
  child.unref()
  saveRecord({ ...record, pid: child.pid ?? 0 })
  Object.assign(record, { pid: child.pid })
  const deadline = Date.now() + readyWithin
  while (!(await answers(addressOf(record)))) {
    if (startError) throw startError
    const tail = (): string => lastLines(readFileSync(logFile, 'utf8'), 15)
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`it ended at once\n${tail()}`)
    if (Date.now() > deadline) throw new Error(`no answer within ${readyWithin / 1000} s\n${tail()}`)
    await sleep(50)
  }
}

/** It listens only once it can serve. */
function answers(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect(path)
  socket.on('connect', () => {
    socket.destroy()
    resolve(true)
  })
  socket.on('error', () => resolve(false))
  return promise
}
