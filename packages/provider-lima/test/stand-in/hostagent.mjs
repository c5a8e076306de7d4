// The host agent of the stand-in: it holds an instance up, and forwards ports while something inside listens on them.
import { spawn } from 'node:child_process'
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { inspect, instanceDir } from './instance.mjs'
import { killContainer, shutDown, startContainer, unmountRoot } from './lxc.mjs'

export async function serve(name) {
  const dir = instanceDir(name)
  const event = (status) =>
    appendFileSync(`${dir}/ha.stdout.log`, `${JSON.stringify({ time: new Date().toISOString(), status })}\n`)
  writeFileSync(`${dir}/ha.pid`, String(process.pid))
  writeFileSync(`${dir}/ha.stderr.log`, '')
  const close = () => {
    unmountRoot(dir)
    rmSync(`${dir}/qemu.pid`, { force: true })
    event({ exiting: true })
    rmSync(`${dir}/ha.pid`, { force: true })
    process.exit(0)
  }
  try {
    const pid = startContainer(name)
    writeFileSync(`${dir}/qemu.pid`, String(pid))
    const { portForwards = [] } = inspect(name).config
    process.on('SIGINT', () => {
      shutDown(name)
      close()
    })
    forwardPorts(portForwards, { pid, dir, gone: close })
    event({ running: true, sshLocalPort: 60022 })
  } catch (error) {
    appendFileSync(
      `${dir}/ha.stderr.log`,
      `${JSON.stringify({ level: 'fatal', msg: String(error), time: new Date().toISOString() })}\n`,
    )
    killContainer(name)
    close()
  }
}

/** The first rule that matches a port decides. */
function forwardPorts(rules, { pid, dir, gone }) {
  const servers = new Map()
  setInterval(() => {
    const open = listening(pid)
    if (open === undefined) gone()
    if (open === undefined) return
    for (const port of open) {
      if (servers.has(port)) continue
      const rule = rules.find(
        ({ guestPort, guestPortRange: [low, high] = [guestPort ?? 1, guestPort ?? 65_535] }) =>
          port >= low && port <= high,
      )
      if (rule === undefined || rule.ignore || rule.proto === 'udp') continue
      servers.set(port, listen(rule, { port, pid, dir }))
    }
    for (const [port, server] of servers) {
      if (open.has(port)) continue
      server.close()
      servers.delete(port)
    }
  }, 100)
}

function listen({ hostIP = '127.0.0.1', hostPort }, { port, pid, dir }) {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const code = `const s=require('node:net').connect({port:${port},host:'127.0.0.1',allowHalfOpen:true});process.stdin.pipe(s);s.pipe(process.stdout);s.on('error',()=>process.exit(1))`
    const child = spawn('nsenter', ['-t', String(pid), '-n', process.execPath, '-e', code], {
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    socket.pipe(child.stdin)
    child.stdout.pipe(socket)
    socket.on('error', () => child.kill())
    child.stdin.on('error', () => undefined)
  })
  server.on('error', (error) => {
    appendFileSync(
      `${dir}/ha.stderr.log`,
      `${JSON.stringify({ level: 'warning', msg: `failed to listen tcp: ${error.message}` })}\n`,
    )
  })
  server.listen({ host: hostIP, port: hostPort ?? port })
  return server
}

/** Ports that something inside listens on; undefined when the machine is gone. */
function listening(pid) {
  try {
    const lines = ['tcp', 'tcp6'].flatMap((file) =>
      readFileSync(`/proc/${pid}/net/${file}`, 'utf8').split('\n').slice(1),
    )
    const ports = lines.map((line) => line.trim().split(/\s+/)).filter((fields) => fields[3] === '0A')
    return new Set(ports.map((fields) => Number.parseInt(fields[1].split(':')[1], 16)))
  } catch {
    return undefined
  }
}
