import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { HostApi } from '@holm/core'
import type { Lab } from '../lab.ts'

export interface BareInput {
  readonly rootfs: string
  /** Has the environment up: what its runtime holds of the base can be used. */
  readonly host: HostApi
  readonly name: string
}

export interface BareTool {
  readonly name: string
  readonly run: () => Promise<unknown>
  readonly after: () => Promise<unknown>
  readonly dispose: () => Promise<unknown>
}

/** A runtime driven by hand: create, start, run `true`, as its documentation shows. */
export interface BareRuntime {
  readonly provider: string
  /** Of holm's environment: the same as the bare tool makes. */
  readonly network: 'default' | 'none'
  prepare(lab: Lab, input: BareInput): Promise<BareTool>
}

const nothing = (): Promise<void> => Promise.resolve()

export const bareDocker: BareRuntime = {
  provider: 'docker',
  network: 'default',
  prepare: async (lab, { rootfs }) => {
    const image = `${lab.namespace}-rootfs:latest`
    await lab.docker('import', rootfs, image)
    const container = `${lab.namespace}-bare`
    return {
      name: 'docker run; docker exec',
      run: async () => {
        await lab.docker('run', '--detach', '--name', container, image, 'sleep', 'infinity')
        await lab.docker('exec', container, 'true')
      },
      after: () => lab.docker('rm', '--force', container),
      dispose: () => lab.docker('image', 'rm', '--force', image),
    }
  },
}

/** With the image that holm imported, in holm's own namespace of containerd. */
export const bareContainerd: BareRuntime = {
  provider: 'containerd',
  network: 'none',
  prepare: async (lab) => {
    const address = lab.env['CONTAINERD_ADDRESS']
    if (address === undefined) throw new Error('CONTAINERD_ADDRESS names no containerd')
    const ctr = (...args: readonly string[]): Promise<string> =>
      lab.run(['ctr', '--address', address, '--namespace', lab.namespace, ...args])
    const [image] = (await ctr('images', 'list', '--quiet')).split('\n')
    if (image === undefined || image === '') throw new Error('containerd holds no image')
    return {
      name: 'ctr run; ctr task exec',
      run: async () => {
        await ctr('run', '--detach', image, 'bare', 'sleep', 'infinity')
        await ctr('task', 'exec', '--exec-id', 'first', 'bare', 'true')
      },
      after: async () => {
        await ctr('task', 'kill', '--signal', 'SIGKILL', 'bare')
        await ctr('task', 'delete', '--force', 'bare')
        await ctr('container', 'delete', 'bare')
      },
      dispose: nothing,
    }
  },
}

export const bareLxc: BareRuntime = {
  provider: 'lxc',
  network: 'none',
  prepare: async (lab, { rootfs }) => {
    const folder = join(lab.folder, 'bare-lxc')
    const [base, place] = [join(folder, 'base'), join(folder, 'x')]
    mkdirSync(base, { recursive: true })
    await lab.run(['tar', '--numeric-owner', '--exclude=./dev/*', '-xpf', rootfs, '-C', base])
    const fresh = (): void => {
      mkdirSync(join(place, 'delta'), { recursive: true })
      writeFileSync(join(place, 'config'), lxcConfig(base, place))
    }
    const lxc = (tool: string, ...args: readonly string[]): Promise<string> =>
      lab.run([`lxc-${tool}`, '-P', folder, '-n', 'x', ...args])
    return {
      name: 'lxc-start; lxc-attach',
      run: async () => {
        fresh()
        await lxc('start', '--daemon', '--', '/bin/sleep', 'infinity')
        await lxc('attach', '--', '/bin/true')
      },
      after: async () => {
        await lxc('stop', '--kill')
        await lab.run(['rm', '-rf', place])
      },
      dispose: () => lab.run(['rm', '-rf', folder]),
    }
  },
}

/** As short as works without AppArmor, a bridge of the distribution, or systemd. */
function lxcConfig(base: string, place: string): string {
  return [
    'lxc.uts.name = bare',
    `lxc.rootfs.path = overlay:${base}:${join(place, 'delta')}`,
    'lxc.net.0.type = empty',
    'lxc.mount.auto = proc:mixed sys:ro',
    'lxc.autodev = 1',
    '',
  ].join('\n')
}
