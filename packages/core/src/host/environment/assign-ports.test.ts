import { createServer, type AddressInfo } from 'node:net'
import { createSpec } from '@holm/testkit'
import { expect, it } from 'vitest'
import type { PortRequest } from '../../spec.ts'
import { assertPortsFree, assignPorts } from './assign-ports.ts'

const request = (container: number, host?: number): PortRequest => ({
  container,
  hostIp: '127.0.0.1',
  protocol: 'tcp',
  ...(host === undefined ? {} : { host }),
})
const range = { first: 32_800, last: 32_803 }
const always = async (): Promise<boolean> => true
it('fills in what was left open, around what others have and what this one names itself', async () => {
  const spec = createSpec({ ports: [request(80), request(81, 32_801), request(82)] })
  const { ports } = await assignPorts(spec, { range, taken: [32_800], isFree: always })
  expect(ports.map(({ host }) => host)).toEqual([32_802, 32_801, 32_803])
})

it('passes over a port that somebody listens on', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const assigned = await assignPorts(createSpec({ ports: [request(80)] }), {
    range: { first: port, last: port + 50 },
    taken: [],
  })
  expect(assigned.ports[0]?.host).toBeGreaterThan(port)
  await expect(
    assignPorts(createSpec({ ports: [request(80)] }), { range: { first: port, last: port }, taken: [] }),
  ).rejects.toMatchObject({
    code: 'HOLM_PORT_TAKEN',
  })
  server.close()
})

it('changes nothing where nothing was left open', async () => {
  const spec = createSpec({ ports: [request(80, 8080)] })
  await expect(assignPorts(spec, { range, taken: [], isFree: async () => false })).resolves.toBe(spec)
})

it('names the port of this machine that somebody has, where nothing maps ports', async () => {
  const isFree = async (port: number): Promise<boolean> => port !== 81
  await expect(assertPortsFree(createSpec({ ports: [request(80, 80)] }), isFree)).resolves.toBeUndefined()
  const spec = createSpec({ ports: [request(80, 80), request(81, 81)] })
  await expect(assertPortsFree(spec, isFree)).rejects.toMatchObject({
    code: 'HOLM_PORT_TAKEN',
    details: { port: 81 },
  })
})

it('takes a port for free that only others who try it hold for a moment', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const spec = createSpec({ ports: [request(port)] })
  await expect(assertPortsFree(spec)).rejects.toMatchObject({ code: 'HOLM_PORT_TAKEN', details: { port } })
  await new Promise((resolve) => server.close(resolve))
  await expect(Promise.all(Array.from({ length: 200 }, () => assertPortsFree(spec)))).resolves.toHaveLength(
    200,
  )
})
