import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSpec } from '@holm/testkit'
import { createMemoryProvider, type MemoryProvider } from '@holm/testkit/memory'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { definePlugin, type HostApi, type Provider, type RemoveOptions } from '../../index.ts'
import { createHost } from '../create-host.ts'
import { likelyOwnVolumes, nestDocker, ownVolumes, reownMounts } from './spec.ts'
import { startScript, stopScript } from './scripts.ts'

const own = (source: string) =>
  ({ type: 'volume', source, target: '/var/lib/docker', readonly: false, own: true }) as const

describe('nestDocker', () => {
  const spec = createSpec({ name: 'web', nestedDocker: true })

  it('gives a container a volume that goes with it, and a machine none', () => {
    expect(nestDocker(spec, { isolation: 'container' })).toMatchObject({
      provision: { docker: true },
      mounts: [own('web.docker')],
    })
    expect(nestDocker(spec, { isolation: 'vm' })).toMatchObject({ provision: { docker: true }, mounts: [] })
    expect(nestDocker(createSpec(), { isolation: 'container' })).toEqual(createSpec())
  })

  it('leaves a mount of the blueprint where it is', () => {
    const mounts = [{ type: 'volume', source: 'cache', target: '/var/lib/docker', readonly: false }] as const
    expect(nestDocker({ ...spec, mounts }, { isolation: 'container' }).mounts).toEqual(mounts)
    expect(ownVolumes({ mounts })).toEqual([])
  })

  it('names what goes with an environment, and gives a copy its own', () => {
    const mounts = [
      own('web.docker'),
      { type: 'volume', source: 'x', target: '/x', readonly: false },
    ] as const
    expect(ownVolumes({ mounts })).toEqual(['web.docker'])
    expect(likelyOwnVolumes('web', undefined)).toEqual(['web.docker'])
    expect(likelyOwnVolumes('web', { mounts: [] })).toEqual([])
    expect(reownMounts(mounts, 'copy')).toEqual([own('copy.docker'), mounts[1]])
  })
})

describe('an engine inside', () => {
  let folder: string
  let memory: MemoryProvider
  /** What the engine's script does instead of starting one on this machine. */
  let answer: string
  let scripts: {
    readonly script: string | undefined
    readonly env: Readonly<Record<string, string>> | undefined
  }[]
  let removals: RemoveOptions[]
  const hosts: HostApi[] = []

  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'holm-docker-')))
    writeFileSync(
      join(folder, 'holm.yaml'),
      'name: web\nbase: host\nuser: dev\ndocker: true\nproject: false\n',
    )
    const traits = { nestedDocker: true }
    memory = createMemoryProvider({ root: join(folder, 'memory'), traits })
    ;[answer, scripts, removals] = ['true', [], []]
  })
  afterEach(async () => {
    await Promise.all(hosts.splice(0).map((host) => host.close()))
    await memory.dispose()
    rmSync(folder, { recursive: true })
  })

  /** Nothing of Docker may run on this machine: its scripts are answered for. */
  const provider = (): Provider => ({
    ...memory,
    exec: (name, request, ctx) => {
      const script = request.argv[2]
      if (script !== startScript && script !== stopScript)
        return memory.exec(name, request.argv.includes('dockerd') ? { argv: ['true'] } : request, ctx)
      scripts.push({ script: script === startScript ? 'start' : 'stop', env: request.env })
      return memory.exec(name, { argv: ['sh', '-c', answer], cwd: '/' }, ctx)
    },
    remove: (name, options, ctx) => {
      removals.push(options)
      return memory.remove(name, options, ctx)
    },
  })

  async function openHost(env: Record<string, string> = {}, offered = provider()): Promise<HostApi> {
    const plugin = definePlugin({
      name: 'test-memory',
      contract: 1,
      setup: (api) => void api.provide('provider', 'memory', () => offered),
    })
    const base = { PATH: process.env['PATH'], HOME: folder, HOLM_HOME: join(folder, 'home') }
    const host = await createHost({ cwd: folder, plugins: [plugin], env: { ...base, ...env } })
    hosts.push(host)
    return host
  }

  const ran = (): unknown => scripts.map(({ script }) => script)

  it('is started with its environment, whoever starts it, and stopped in order before it', async () => {
    const host = await openHost()
    const { steps, warnings, environment } = await host.up()
    expect(steps.map(({ step }) => step)).toContain('docker')
    expect(warnings).toEqual([
      'Docker inside web has full rights: who works in there can take over this machine',
    ])
    expect(environment.looser.join()).toContain('Docker engine of its own')
    expect(scripts[0]?.env).toMatchObject({ DOCKER_USER: 'dev', DOCKER_PLACE: 'container' })
    await host.stop()
    await host.start()
    await host.start()
    await host.stop()
    await host.up()
    expect(ran()).toEqual(['start', 'stop', 'start', 'start', 'stop', 'start'])
  })

  it('says what it has to say, and when it does not come up why, and leaves nothing', async () => {
    answer = 'echo no limits inside'
    const host = await openHost()
    expect((await host.up()).warnings).toContain('no limits inside')
    await host.destroy('web')
    answer = "echo noise >&2; echo 'cause: dockerd ended' >&2; echo last line >&2; exit 4"
    await expect(host.up()).rejects.toMatchObject({
      code: 'HOLM_ENVIRONMENT_FAILED',
      message: 'the Docker engine inside web did not start: dockerd ended\nlast line',
      hint: expect.stringContaining('/var/log/docker.log') as string,
    })
    expect(await host.list()).toEqual([])
    expect(removals.at(-1)).toEqual({ volumes: false, own: ['web.docker'] })
  })

  it('keeps its data when the environment is made anew, and loses it with the environment', async () => {
    const host = await openHost()
    await host.up()
    await host.up({ recreate: true })
    await host.destroy('web')
    expect(removals).toEqual([
      { volumes: false, own: [] },
      { volumes: false, own: ['web.docker'] },
    ])
  })

  it('has a volume of its own in a clone', async () => {
    const host = await openHost()
    await host.up()
    await host.clone('web', 'copy')
    const volumes = (await host.status('copy')).mounts.map((mount) => mount.type === 'volume' && mount.source)
    expect(volumes).toEqual(['copy.docker'])
    expect(ran()).toEqual(['start', 'start'])
  })

  it('is asked for by the caller, and that is kept', async () => {
    writeFileSync(join(folder, 'holm.yaml'), 'name: web\nbase: host\nproject: false\n')
    const host = await openHost()
    await host.up()
    expect((await host.up({ docker: true })).changed).toEqual(['docker'])
    await host.up({ docker: true, recreate: true })
    expect((await host.up()).changed).toEqual([])
    expect(ran()).toEqual(['start'])
  })

  it('is refused where the provider cannot, the configuration forbids it, or the network is shared', async () => {
    const up = (host: HostApi) => host.up({ provider: 'memory' })
    await expect(
      up(await openHost({}, { ...provider(), traits: { ...memory.traits, nestedDocker: false } })),
    ).rejects.toMatchObject({
      code: 'HOLM_BLUEPRINT_UNSUPPORTED',
      message: 'the provider memory cannot run a Docker engine inside',
    })
    for (const allowed of ['vm', 'none'])
      await expect(up(await openHost({ HOLM_UP__DOCKER: allowed }))).rejects.toMatchObject({
        code: 'HOLM_BLUEPRINT_UNSUPPORTED',
        message: `the provider memory may not run Docker inside: up.docker is ${allowed} (HOLM_UP__DOCKER)`,
      })
    await expect((await openHost({ HOLM_UP__DOCKER: 'none' })).up()).rejects.toMatchObject({
      code: 'HOLM_PROVIDER_NONE',
    })
    writeFileSync(join(folder, 'holm.yaml'), 'name: web\nbase: host\ndocker: true\nnetwork: host\n')
    await expect(up(await openHost())).rejects.toMatchObject({ code: 'HOLM_BLUEPRINT_INVALID' })
    expect(ran()).toEqual([])
  })

  it('is not started once the configuration forbids it', async () => {
    const host = await openHost()
    await host.up()
    await host.stop()
    const strict = await openHost({ HOLM_UP__DOCKER: 'none' })
    await expect(strict.start('web')).rejects.toMatchObject({ code: 'HOLM_BLUEPRINT_UNSUPPORTED' })
    await expect(strict.clone('web', 'copy')).rejects.toMatchObject({ code: 'HOLM_BLUEPRINT_UNSUPPORTED' })
  })
})
