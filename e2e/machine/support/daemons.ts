import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { containerdConfig } from '../../../scripts/testing/containerd.ts'
import { hasCommand } from '../../../scripts/testing/machine.ts'
import { startEngine } from '../../faults/support/engine.ts'
import type { FaultHolm } from '../../faults/support/fault-holm.ts'
import { makeFolder } from '../../support/holm.ts'
import { killBelow } from './processes.ts'

/** A daemon of the test's own, which keeps environments and may be killed. */
export interface Daemon {
  /** Everything of it is below; no space in it. */
  readonly folder: string
  readonly pid: number
  /** The daemon alone: what it started goes on. Returns when it has ended. */
  kill(): Promise<void>
  /** It and everything that it started, at once, as when the machine is switched off. */
  killAll(): Promise<void>
  start(): Promise<void>
  end(): Promise<void>
}

const programs = {
  docker: ['dockerd', 'containerd', 'runc'],
  containerd: ['containerd', 'containerd-shim-runc-v2', 'runc', 'ip', 'iptables'],
} as const

/** Why no daemon of the test's own can be started here, or undefined. */
export function missingDaemon(provider: keyof typeof programs): string | undefined {
  if (process.getuid?.() !== 0) return 'a daemon of its own needs root'
  const missing = programs[provider].filter((name) => !hasCommand(name))
  return missing.length === 0 ? undefined : `without ${missing.join(', ')}`
}

/** Starts a daemon for the provider, and points holm to it. */
export async function startDaemon(holm: FaultHolm, provider: 'docker' | 'containerd'): Promise<Daemon> {
  const folder = makeFolder(`holm-own-${provider}-`)
  return provider === 'docker' ? startDocker(holm, folder) : startContainerd(holm, folder)
}

async function startDocker(holm: FaultHolm, folder: string): Promise<Daemon> {
  const engine = await startEngine(folder)
  holm.env['DOCKER_HOST'] = engine.host
  return {
    folder,
    get pid() {
      return engine.process.pid ?? 0
    },
    async kill() {
      engine.process.kill('SIGKILL')
      await ended(engine.process)
    },
    async killAll() {
      killBelow(folder)
      await ended(engine.process)
    },
    start: () => engine.restart(),
    async end() {
      await engine.end()
      clear(folder)
    },
  }
}

async function startContainerd(holm: FaultHolm, folder: string): Promise<Daemon> {
  const address = join(folder, 'containerd.sock')
  mkdirSync(join(folder, 'data'))
  writeFileSync(join(folder, 'config.toml'), containerdConfig({ data: join(folder, 'data'), run: folder }))
  holm.env['CONTAINERD_ADDRESS'] = address
  let child = await launchContainerd(folder, address)
  return {
    folder,
    get pid() {
      return child.pid ?? 0
    },
    async kill() {
      child.kill('SIGKILL')
      await ended(child)
    },
    async killAll() {
      killBelow(folder)
      await ended(child)
    },
    async start() {
      child = await launchContainerd(folder, address)
    },
    async end() {
      child.kill('SIGKILL')
      await ended(child)
      clear(folder)
    },
  }
}

/** Processes, mounts and files of a daemon whose environments are gone, or whose test failed. */
function clear(folder: string): void {
  killBelow(folder)
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  const points = mounts
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${folder}/`))
  for (const point of points.toReversed()) spawnSync('umount', ['--lazy', point])
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

async function ended(child: ChildProcess): Promise<void> {
  while (child.exitCode === null && child.signalCode === null) await pause(5)
}

async function launchContainerd(folder: string, address: string): Promise<ChildProcess> {
  const log = openSync(join(folder, 'log'), 'a')
  const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` }
  const child = spawn('containerd', ['--config', join(folder, 'config.toml')], {
    stdio: ['ignore', log, log],
    env,
  })
  closeSync(log)
  const deadline = Date.now() + 60_000
  while (!(await answers(address))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill('SIGKILL')
      throw new Error(`containerd does not answer\n${readFileSync(join(folder, 'log'), 'utf8').slice(-6000)}`)
    }
    await pause(20)
  }
  return child
}

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
