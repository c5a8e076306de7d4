import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { waitFor } from '@holm/testkit'

/** A containerd that a test may kill. */
export interface OwnContainerd {
  readonly address: string
  readonly folder: string
  /** SIGKILL, and back when it has ended. */
  kill(): Promise<void>
  start(): Promise<void>
  dispose(): Promise<void>
}

export async function openOwnContainerd(): Promise<OwnContainerd> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holm-containerd-own-'))
  const address = path.join(folder, 'c.sock')
  const config = path.join(folder, 'config.toml')
  const disabled = ['io.containerd.grpc.v1.cri', 'io.containerd.internal.v1.opt']
  const lines = [
    'version = 2',
    `root = "${folder}/root"`,
    `state = "${folder}/state"`,
    `disabled_plugins = ${JSON.stringify(disabled)}`,
    `[grpc]\n  address = "${address}"`,
    `[ttrpc]\n  address = "${address}.ttrpc"`,
  ]
  await writeFile(config, lines.join('\n'))
  let child: ChildProcess | undefined
  const kill = async (): Promise<void> => {
    const ended = new Promise((resolve) => child?.once('exit', resolve))
    child?.kill('SIGKILL')
    await ended
  }
  const start = async (): Promise<void> => {
    const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` }
    child = spawn('containerd', ['--config', config, '--log-level', 'error'], { stdio: 'ignore', env })
    await waitFor(() => answers(address), { what: 'containerd to answer' })
  }
  await start()
  return {
    address,
    folder,
    kill,
    start,
    async dispose() {
      await kill()
      await rm(folder, { recursive: true, force: true, maxRetries: 3 })
    },
  }
}

function answers(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
