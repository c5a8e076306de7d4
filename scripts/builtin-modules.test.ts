import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { renderBuiltin } from './builtin-modules.ts'

const load = (id: string): Promise<Record<string, unknown>> =>
  import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(renderBuiltin(id))}`) as Promise<
    Record<string, unknown>
  >

it('offers the names of the module, but none that would run something', async () => {
  const http = renderBuiltin('node:http')
  expect(http).toContain('export const request')
  expect(http).not.toContain('export const WebSocket')
  const path = await load('node:path')
  expect(path['join']).toBe(process.getBuiltinModule('node:path').join)
  expect((await load('node:stream'))['Readable']).toBe(Readable)
})

it('calls a function of a costly module through, and hands out its classes', async () => {
  const crypto = await load('node:crypto')
  const hash = crypto['createHash'] as typeof import('node:crypto').createHash
  expect(hash('sha256').update('x').digest('hex')).toBe(
    '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881',
  )
  const net = await load('node:net')
  expect(net['Socket']).toBe(process.getBuiltinModule('node:net').Socket)
  const standard = (await load('node:http'))['default'] as typeof import('node:http')
  expect(new standard.Agent()).toBeInstanceOf(process.getBuiltinModule('node:http').Agent)
})
