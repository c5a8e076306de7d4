import { readFileSync } from 'node:fs'
import type { ContainerInspectInfo } from 'dockerode'
import { expect, it } from 'vitest'
import { addressHere } from './address.ts'

const { inspect } = JSON.parse(
  readFileSync(new URL('../test/fixtures/docker-28.5.2.json', import.meta.url), 'utf8'),
) as { readonly inspect: ContainerInspectInfo }
const here = (path: string): string | undefined =>
  path === `/proc/${inspect.State.Pid}/cgroup` ? `4:memory:/docker/${inspect.Id}\n` : undefined

it('is told where the main process is one of this machine', () => {
  expect(addressHere(inspect, here)).toMatch(/^(\d+\.){3}\d+$/)
  const host = { ...inspect, HostConfig: { ...inspect.HostConfig, NetworkMode: 'host' } }
  expect(addressHere(host, here)).toBe('127.0.0.1')
})

it('is not told for what runs elsewhere, for what does not run, and for what has none', () => {
  expect(addressHere(inspect, () => undefined)).toBeUndefined()
  expect(addressHere(inspect, () => '4:memory:/somebody/else\n')).toBeUndefined()
  expect(addressHere({ ...inspect, State: { ...inspect.State, Running: false } }, here)).toBeUndefined()
  const none = { ...inspect, NetworkSettings: { ...inspect.NetworkSettings, Networks: {} } }
  expect(addressHere(none, here)).toBeUndefined()
})
