import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
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
  /** Starts it again after it was killed. */
  restart(): Promise<void>
  end(): Promise<void>
}

export async function startEngine(folder: string): Promise<OwnEngine> {
  mkdirSync(folder, { recursive: true })
  const host = `unix://${join(folder, 's')}`
  let child = await launch(folder, host)
  return {
    host,
    get process() {
      return child
    },
    async restart() {
      child = await launch(folder, host)
    },
    async end() {
      child.kill('SIGCONT')
      child.kill('SIGTERM')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      killContainerd(folder)
    },
  }
}

/** A killed dockerd leaves its containerd; the next one takes it over, and the last end ends it. */
function killContainerd(folder: string): void {
  const file = join(folder, 'exec', 'containerd', 'containerd.pid')
  if (!existsSync(file)) return
  try {
    process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL')
  } catch {
    // It ended with its engine.
  }
}

async function launch(folder: string, host: string): Promise<ChildProcess> {
  const places = ['--data-root', 'data', '--exec-root', 'exec', '--pidfile', 'pid'].map((word, index) =>
    index % 2 === 0 ? word : join(folder, word),
  )
  const net = ['--bridge', 'none', '--iptables=false', '--ip6tables=false', '--ip-forward=false']
  const child = spawn('dockerd', [...places, ...net, '-H', host, '--storage-driver', 'vfs'], {
    stdio: 'ignore',
  })
  const deadline = Date.now() + 30_000
  for (;;) {
    try {
      if ((await askEngine(host, 'GET', '/_ping')) === 'OK') return child
    } catch {
      // Not listening yet.
    }
    if (child.exitCode !== null) throw new Error(`dockerd ended with ${child.exitCode}`)
    if (Date.now() > deadline) throw new Error('dockerd did not answer within 30 s')
    await pause(20)
  }
}
