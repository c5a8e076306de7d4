import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

/** One request to an engine; the answer's text, whatever its status. */
export async function askEngine(host: string, method: string, path: string): Promise<string> {
  const call = request({ socketPath: host.replace('unix://', ''), path, method })
  call.end()
  const [response] = (await once(call, 'response')) as [NodeJS.ReadableStream]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return text
}

/** An engine of the test's own, without a network, that may be stopped and killed. */
export interface OwnEngine {
  readonly host: string
  readonly process: ChildProcess
  /** Starts it again after it was killed. What keeps its containers went on meanwhile. */
  restart(): Promise<void>
  end(): Promise<void>
}

export async function startEngine(folder: string, extra: readonly string[] = []): Promise<OwnEngine> {
  mkdirSync(folder, { recursive: true })
  const host = `unix://${join(folder, 's')}`
  let child = await launch({ folder, host, extra })
  return {
    host,
    get process() {
      return child
    },
    async restart() {
      killBelow(folder, /containerd$/)
      rmSync(join(folder, 'exec', 'containerd', 'containerd.pid'), { force: true })
      child = await launch({ folder, host, extra })
    },
    async end() {
      child.kill('SIGCONT')
      child.kill('SIGTERM')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      killBelow(folder)
      unmountBelow(folder)
    },
  }
}

/** A killed engine leaves its containerd and what keeps its containers: every program that names the test's own folder. */
function killBelow(folder: string, engines = /containerd(-shim[\w-]*)?$/): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const [program = '', ...words] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      if (engines.test(program) && words.some((word) => word.startsWith(`${folder}/`)))
        process.kill(Number(pid), 'SIGKILL')
    } catch {
      // It ended in the meantime.
    }
  }
}

function unmountBelow(folder: string): void {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  const points = mounts
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${folder}/`))
  for (const point of points.toReversed()) spawnSync('umount', ['--lazy', point])
}

interface LaunchOptions {
  readonly folder: string
  readonly host: string
  /** More words for dockerd. */
  readonly extra: readonly string[]
}

async function launch({ folder, host, extra }: LaunchOptions): Promise<ChildProcess> {
  const places = ['--data-root', 'data', '--exec-root', 'exec', '--pidfile', 'pid'].map((word, index) =>
    index % 2 === 0 ? word : join(folder, word),
  )
  const net = ['--bridge', 'none', '--iptables=false', '--ip6tables=false', '--ip-forward=false']
  const log = openSync(join(folder, 'log'), 'a')
  const child = spawn('dockerd', [...places, ...net, '-H', host, '--storage-driver', 'vfs', ...extra], {
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  const deadline = Date.now() + 30_000
  for (;;) {
    try {
      if ((await askEngine(host, 'GET', '/_ping')) === 'OK') return child
    } catch {
      // Not listening yet.
    }
    if (child.exitCode !== null)
      throw new Error(
        `dockerd ended with ${child.exitCode}\n${readFileSync(join(folder, 'log'), 'utf8').slice(-6000)}`,
      )
    if (Date.now() > deadline) throw new Error('dockerd did not answer within 30 s')
    await pause(20)
  }
}
