import { describe, expect, it } from 'vitest'
import type { Probe, Traits } from '../../provider.ts'
import { misfits, needsOf, selectProvider, type Candidate, type Needs } from './select-provider.ts'

const container: Traits = {
  isolation: 'container',
  rootless: false,
  bases: ['image'],
  mounts: ['bind', 'volume', 'tmpfs'],
  limits: ['memory'],
  networks: ['default', 'none', 'host', 'named'],
  mapsPorts: true,
}
const processes: Traits = {
  ...container,
  isolation: 'process',
  mounts: ['bind'],
  networks: ['default', 'none'],
  mapsPorts: false,
}
const needs: Needs = {
  mounts: new Set(['bind']),
  network: 'default',
  mapsPorts: false,
  privileged: false,
  companions: [],
}

const usable: Probe = { usable: true, version: 'X 1', limitations: [] }
const broken: Probe = { usable: false, reason: 'no daemon answers', limitations: [] }
const candidate = (id: string, traits: Traits, reasons: readonly string[] = []): Candidate => ({
  id,
  traits,
  reasons: () => Promise.resolve(reasons),
})

const select = (probes: Record<string, Probe>, candidates: Candidate[], asked?: string | null) => {
  const probed: string[] = []
  const selection = selectProvider({
    candidates,
    probe: async (id) => {
      probed.push(id)
      return probes[id] ?? broken
    },
    ask: asked === undefined ? undefined : async () => asked ?? undefined,
  })
  return { selection, probed }
}

describe('misfits', () => {
  it('is empty for what fits and names each thing that does not', () => {
    expect(misfits(needs, processes)).toEqual([])
    expect(
      misfits(
        {
          mounts: new Set(['bind', 'volume']),
          network: 'named',
          mapsPorts: true,
          privileged: true,
          companions: [],
        },
        processes,
      ),
    ).toEqual([
      'has no volume mounts',
      'has no network "named"',
      'cannot map a port to another number',
      'has no privileged mode',
    ])
  })

  it('knows where an engine can run inside', () => {
    const wanted: Needs = { ...needs, nestedDocker: true }
    expect(misfits(wanted, processes)).toEqual(['cannot run a Docker engine inside'])
    expect(misfits(wanted, { ...container, nestedDocker: true })).toEqual([])
  })

  it('tells of services from images instead of the network that they would need', () => {
    const wanted: Needs = { ...needs, network: 'named', companions: ['db', 'cache'] }
    expect(misfits(wanted, processes)).toEqual(['cannot run the service db, cache from an image'])
    expect(misfits(wanted, { ...container, companions: true })).toEqual([])
  })
})

it('needsOf sees a port that is mapped to another number, and only that', () => {
  const security = { privileged: false, capAdd: [], capDrop: [], securityOpt: [], devices: [] }
  const port = (host: number | undefined) => ({
    container: 80,
    ...(host === undefined ? {} : { host }),
    hostIp: '127.0.0.1',
    protocol: 'tcp' as const,
  })
  const rest = { mounts: [], security, services: [] }
  expect(needsOf({ ...rest, network: 'backend', ports: [port(8080)] })).toMatchObject({
    network: 'named',
    mapsPorts: true,
  })
  expect(needsOf({ ...rest, network: 'none', ports: [port(80), port(undefined)] })).toMatchObject({
    network: 'none',
    mapsPorts: false,
  })
})

describe('selectProvider', () => {
  const both = [candidate('sandbox', processes), candidate('docker', container)]

  it('takes the best usable one and says why', async () => {
    const { selection } = select({ docker: usable, sandbox: usable }, both)
    await expect(selection).resolves.toMatchObject({
      provider: 'docker',
      reason: 'docker: the first usable one that fits (container)',
    })
  })

  it('asks nobody behind the first that can be used, and prefers what takes more kinds of base', async () => {
    const more = { ...container, bases: ['image', 'rootfs'] as const }
    const { selection, probed } = select({ docker: usable, containerd: usable, sandbox: usable }, [
      candidate('containerd', container),
      candidate('docker', more),
      ...both.slice(0, 1),
    ])
    await expect(selection).resolves.toMatchObject({
      provider: 'docker',
      considered: [
        { id: 'docker', fits: true },
        { id: 'containerd', fits: false, reasons: ['comes after it'] },
        { id: 'sandbox', fits: false, reasons: ['comes after it'] },
      ],
    })
    expect(probed).toEqual(['docker'])
  })

  it('goes on to the next when the best is not usable', async () => {
    const { selection } = select({ docker: broken, sandbox: usable }, both)
    await expect(selection).resolves.toMatchObject({
      provider: 'sandbox',
      considered: [{ id: 'docker', reasons: ['not usable: no daemon answers'] }, { id: 'sandbox' }],
    })
  })

  it('asks no runtime that does not fit', async () => {
    const candidates = [candidate('docker', container, ['has no base x']), candidate('sandbox', processes)]
    const { selection, probed } = select({ docker: usable, sandbox: usable }, candidates)
    await expect(selection).resolves.toMatchObject({
      provider: 'sandbox',
      considered: [
        { id: 'docker', fits: false, reasons: ['has no base x'] },
        { id: 'sandbox', fits: true },
      ],
    })
    expect(probed).toEqual(['sandbox'])
  })

  it('does what a plugin says', async () => {
    await expect(
      select({ docker: usable, sandbox: usable }, both, 'sandbox').selection,
    ).resolves.toMatchObject({ provider: 'sandbox' })
  })

  it('says of each one why it does not do', async () => {
    const candidates = [
      candidate('docker', container),
      candidate('sandbox', processes, ['has no base debian-12']),
    ]
    const { selection } = select({}, candidates, null)
    await expect(selection).rejects.toMatchObject({
      code: 'HOLM_PROVIDER_NONE',
      message: expect.stringMatching(/docker not usable: no daemon answers; sandbox has no base debian-12/),
    })
  })
})
