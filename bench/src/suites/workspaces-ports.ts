import { spawn, type ChildProcess } from 'node:child_process'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { holmCli, type Lab } from '../lab.ts'
import type { Case } from '../measure.ts'
import type { Suite } from './suite.ts'

const megabytes = 256
const questions = 500

/** Answers `G<n>` with so many megabytes and the end, anything else with itself; says its port. */
const server = `
const chunk = Buffer.alloc(1 << 20, 7)
const listener = require('net').createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => {}).on('data', (data) => {
    if (data[0] !== 71) return socket.write(data)
    let left = Number(data.subarray(1))
    const go = () => {
      while (left-- > 0) if (!socket.write(chunk)) return socket.once('drain', go)
      socket.end()
    }
    go()
  })
}).listen(0, '127.0.0.1', () => console.log(listener.address().port))`

function firstLine(child: ChildProcess): Promise<string> {
  const { stdout } = child
  if (stdout === null) throw new Error('the program has no output')
  return new Promise((resolve, reject) => {
    createInterface(stdout).once('line', resolve)
    child.once('exit', (code) => reject(new Error(`it ended with ${code} before it said anything`)))
  })
}

function download(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => void socket.write(`G${megabytes}`))
    let bytes = 0
    socket.on('data', (data) => (bytes += data.length)).once('error', reject)
    socket.once('end', () =>
      bytes === megabytes << 20 ? resolve() : reject(new Error(`${bytes} bytes arrived`)),
    )
  })
}

function talk(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => void socket.write('x'))
    let left = questions
    socket.once('error', reject).on('data', () => {
      left -= 1
      if (left > 0) socket.write('x')
      else resolve(void socket.destroy())
    })
  })
}

interface Ports {
  readonly direct: number
  readonly forwarded: number
}

function* casesOf({ direct, forwarded }: Ports): Iterable<Case> {
  // At least 80 % of the speed: 1.25 times the time.
  const budgets = [{ of: 'holm port forward', than: 'direct', times: 1.25 }]
  const contenders = (work: (port: number) => Promise<void>): Case['contenders'] => [
    { name: 'direct', run: () => work(direct) },
    { name: 'holm port forward', run: () => work(forwarded) },
  ]
  yield {
    id: 'workspaces-port-throughput',
    title: `${megabytes} MB through one connection`,
    contenders: contenders(download),
    budgets,
  }
  yield {
    id: 'workspaces-port-latency',
    title: `${questions} questions and answers of one byte, one after another`,
    contenders: contenders(talk),
    budgets,
  }
}

/** The server runs in a sandbox, which has the network of this machine: both ways lead to the same socket. */
async function start(
  lab: Lab,
  project: string,
): Promise<Ports & { readonly children: readonly ChildProcess[] }> {
  const holm = (...args: readonly string[]): ChildProcess =>
    spawn(process.execPath, [holmCli, ...args], {
      cwd: project,
      env: lab.env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
  const serving = holm('exec', '--', 'node', '--eval', server)
  const direct = Number(await firstLine(serving))
  const forwarding = holm('port', 'forward', 'served', String(direct), '--json')
  const { here } = JSON.parse(await nextEvent(forwarding)) as { readonly here: number }
  await until(() => download(here))
  return { direct, forwarded: here, children: [serving, forwarding] }
}

async function nextEvent(child: ChildProcess): Promise<string> {
  const { stdout } = child
  if (stdout === null) throw new Error('the program has no output')
  for await (const line of createInterface(stdout)) if (line.includes('"forwarded"')) return line
  throw new Error('nothing was forwarded')
}

/** A forward leads nowhere until the port was noticed inside. */
async function until(work: () => Promise<void>): Promise<void> {
  for (let left = 100; ; left -= 1) {
    try {
      return await work()
    } catch (error) {
      if (left === 0) throw error
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
}

export const forward: Suite = {
  name: 'workspaces-ports',
  async *cases(lab) {
    const project = lab.createProject('served', {
      'holm.yaml': 'name: served\nbase: host\nprovider: sandbox\n',
    })
    await lab.holm(project, 'up')
    const { children, ...ports } = await start(lab, project)
    try {
      yield* casesOf(ports)
    } finally {
      for (const child of children) child.kill()
      await lab.holm(project, 'destroy', '--yes')
    }
  },
}
