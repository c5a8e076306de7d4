import { spawn } from 'node:child_process'
import { chmodSync, closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { lastLines } from '../command.ts'
import { cleanUp, saveRecord, type EngineRecord } from './engine-records.ts'
import { hasCommand, isRoot } from './machine.ts'
import { chooseNetwork } from './network.ts'

const readyWithin = 60_000

export interface TestIncus {
  readonly socket: string
  stop(): Promise<void>
}

/** Starts a daemon of Incus or LXD that shares nothing with others on this machine, or says why tests go without. */
export async function startIncus(): Promise<TestIncus | undefined> {
  const daemon = ['incusd', 'lxd'].find((name) => hasCommand(name))
  const missing = ['unshare', 'ip', 'dnsmasq'].filter((name) => !hasCommand(name))
  if (!isRoot() || daemon === undefined || missing.length > 0) {
    const lacking = [...(daemon === undefined ? ['incusd, lxd'] : []), ...missing].join(', ')
    console.log(
      `incus: not started (${isRoot() ? `without ${lacking}` : 'not root'}); tests that need it are skipped`,
    )
    return undefined
  }
  const since = performance.now()
  const record = await createRecord()
  try {
    await launch(record, daemon)
    const pool = await setUp(record)
    const took = ((performance.now() - since) / 1000).toFixed(1)
    console.log(`incus: ${daemon} ready after ${took} s, storage ${pool}`)
  } catch (error) {
    console.log(`incus: ${daemon} did not start: ${error instanceof Error ? error.message : String(error)}`)
    await cleanUp(record)
    return undefined
  }
  return { socket: socketOf(record), stop: () => cleanUp(record) }
}

/** Written before anything is made, so that a run that was killed can be cleaned up by the next one. */
async function createRecord(): Promise<EngineRecord> {
  // Sockets have short path limits: everything lives under the system's temporary folder.
  const run = mkdtempSync(join(tmpdir(), 'holm-incus-daemon-'))
  // Root inside an environment is an ordinary user here, and has to reach its files.
  chmodSync(run, 0o711)
  const data = join(run, 'daemon')
  mkdirSync(data, { mode: 0o711 })
  const id = `i${run.slice(-6).toLowerCase()}`
  const record = { id, owner: process.pid, data, run, network: await chooseNetwork(id) }
  saveRecord(record)
  return record
}

function socketOf({ data }: Pick<EngineRecord, 'data'>): string {
  return join(data, 'unix.socket')
}

/**
 * A mount namespace of its own: what the daemon mounts is gone with it. In there root has a range of ids, which the machine's own files
 * need not give it.
 */
const launcher = `
for file in /etc/subuid /etc/subgid; do [ ! -e "$file" ] || mount --bind "$1/ids" "$file"; done
printf 'root:1000000:1000000000\\n' > "$1/ids"
exec "$2" --logfile "$1/daemon.log"`

async function launch(record: EngineRecord, daemon: string): Promise<void> {
  const { run, data } = record
  closeSync(openSync(join(run, 'ids'), 'a'))
  const log = openSync(join(run, 'log'), 'a')
  const words = ['--mount', '--propagation', 'slave', '/bin/sh', '-c', launcher, 'sh', run, daemon]
  // Its own session, so that Ctrl-C reaches only us and we stop it in order.
  const child = spawn('unshare', words, {
    cwd: '/',
    detached: true,
    stdio: ['ignore', log, log],
    env: {
      ...process.env,
      PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`,
      LXD_DIR: data,
      INCUS_DIR: data,
      // It would ask a server of images for news.
      HTTPS_PROXY: 'http://127.0.0.1:9',
      HTTP_PROXY: 'http://127.0.0.1:9',
    },
  })
  closeSync(log)
  let startError: Error | undefined
  child.on('error', (error) => (startError = error))
  child.unref()
  saveRecord({ ...record, pid: child.pid ?? 0 })
  Object.assign(record, { pid: child.pid })
  const deadline = Date.now() + readyWithin
  while (!(await answers(record))) {
    if (startError) throw startError
    const tail = (): string => lastLines(readFileSync(join(run, 'log'), 'utf8'), 15)
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`it ended at once\n${tail()}`)
    if (Date.now() > deadline) throw new Error(`no answer within ${readyWithin / 1000} s\n${tail()}`)
    await sleep(50)
  }
}

async function answers(record: EngineRecord): Promise<boolean> {
  if (!existsSync(socketOf(record))) return false
  return call(record, { path: '/1.0' }).then(
    () => true,
    () => false,
  )
}

/** Copy-on-write where the kernel can, a bridge without rules in anybody's firewall. Returns the kind of storage. */
async function setUp(record: EngineRecord): Promise<string> {
  const { network } = record
  if (network === undefined) throw new Error('no network was chosen')
  const config = {
    'ipv4.address': network.address,
    'ipv4.nat': 'false',
    'ipv4.firewall': 'false',
    'ipv6.address': 'none',
  }
  await call(record, { path: '/1.0/networks', body: { name: network.bridge, type: 'bridge', config } })
  try {
    await call(record, {
      path: '/1.0/storage-pools',
      body: { name: 'tests', driver: 'btrfs', config: { size: '12GiB' } },
    })
    return 'btrfs'
  } catch {
    await call(record, { path: '/1.0/storage-pools', body: { name: 'tests', driver: 'dir' } })
    return 'dir'
  }
}

/** POST where there is a body. */
function call(
  record: EngineRecord,
  { path, body }: { readonly path: string; readonly body?: unknown },
): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>()
  const method = body === undefined ? 'GET' : 'POST'
  const sent = request({ socketPath: socketOf(record), path, method, timeout: readyWithin }, (response) => {
    let text = ''
    response.on('data', (chunk) => (text += String(chunk)))
    response.on('end', () => {
      const answer = JSON.parse(text || '{}') as { readonly error?: string }
      if ((answer.error ?? '') === '') resolve(answer)
      else reject(new Error(`${path}: ${answer.error ?? ''}`))
    })
  })
  sent.on('error', reject)
  sent.on('timeout', () => sent.destroy(new Error(`${path}: no answer`)))
  sent.end(body === undefined ? undefined : JSON.stringify(body))
  return promise
}
