import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Base, Provider, ProviderContext } from '@holm/core'
import { createRunner } from '@holm/core/host'
import { findPlugins } from '../src/cni.ts'
import { createEngine, createProvider } from '../src/index.ts'
import type { Engine } from '../src/index.ts'

const address = process.env['HOLM_TEST_CONTAINERD_ADDRESS']
const rootfs = process.env['HOLM_TEST_ROOTFS']

export const runner = createRunner({ env: process.env })

/** Why the live tests cannot run here; undefined when they can. */
export function liveSkip(): string | undefined {
  if (!address || !existsSync(address)) return 'HOLM_TEST_CONTAINERD_ADDRESS names no socket'
  if (!rootfs) return 'HOLM_TEST_ROOTFS names no root filesystem tarball'
  return findPlugins() === undefined ? 'the CNI plugins are not installed' : undefined
}

export async function loadLiveBase(): Promise<Extract<Base, { kind: 'rootfs' }>> {
  const file = rootfs ?? '/nowhere'
  if (liveSkip() !== undefined) return { kind: 'rootfs', name: 'live', path: file, sha256: '0'.repeat(64) }
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return { kind: 'rootfs', name: 'live', path: file, sha256: hash.digest('hex') }
}

export interface Live {
  readonly provider: Provider
  readonly engine: Engine
  readonly context: Pick<ProviderContext, 'runner'>
  /** Names of the networks of this namespace that have a bridge. */
  networks(): Promise<readonly string[]>
  /** Another provider over the same data, as a second holm process has it. */
  again(): { readonly provider: Provider; readonly engine: Engine }
  dispose(): Promise<void>
}

/** A provider over a namespace and a data folder of its own; the folder's name has a space and quotes. */
export async function openLive(): Promise<Live> {
  // Beside the socket: what a killed test leaves is found there by who started containerd.
  const top = await mkdtemp(path.join(path.dirname(address ?? tmpdir()), 'holm-'))
  const namespace = `holm-test-${randomBytes(4).toString('hex')}`
  const open = (): { provider: Provider; engine: Engine } => {
    const engine = createEngine({
      namespace,
      data: path.join(top, `it's a "test"`),
      env: { PATH: process.env['PATH'] },
      address,
      caller: { uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 },
    })
    return { engine, provider: createProvider(engine) }
  }
  const first = open()
  return {
    ...first,
    context: { runner },
    networks: () => listNetworks(namespace),
    again: open,
    async dispose() {
      first.engine.dispose()
      await rm(top, { recursive: true, force: true })
    },
  }
}

async function listNetworks(namespace: string): Promise<readonly string[]> {
  const own = `holm containerd ${namespace} `
  const devices = await readdir('/sys/class/net')
  const texts = await Promise.all(
    devices.map((device) => readFile(`/sys/class/net/${device}/ifalias`, 'utf8').catch(() => '')),
  )
  return texts.flatMap((text) => (text.startsWith(own) ? [text.slice(own.length).trim()] : []))
}
