import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { createTestContext } from '../context.ts'
import { createSpec } from '../spec.ts'
import { createMemoryProvider } from './index.ts'
import type { MemoryOptions, MemoryProvider } from './index.ts'

function provider(options: MemoryOptions = {}): MemoryProvider {
  const made = createMemoryProvider(options)
  onTestFinished(() => made.dispose())
  return made
}

async function stateFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holm-memory-file-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return join(folder, 'memory.json')
}

it('shares one runtime through a file', async () => {
  const file = await stateFile()
  const [one, two] = [provider({ file }), provider({ file })]
  const specs = Array.from({ length: 20 }, (_, index) => createSpec({ name: `e${index}` }))
  await Promise.all(specs.map((spec, index) => (index % 2 ? one : two).create(spec, createTestContext())))
  expect((await one.list(createTestContext())).length).toBe(20)
  await two.remove('e3', { volumes: true }, createTestContext())
  expect((await one.inspect('e3', createTestContext())).status).toBe('absent')
  expect(Object.keys(JSON.parse(await readFile(file, 'utf8')).environments)).toHaveLength(19)
})

it('sees only its namespace', async () => {
  const file = await stateFile()
  const [one, two] = [provider({ file, namespace: 'one' }), provider({ file, namespace: 'two' })]
  await one.create(createSpec({ name: 'same', labels: { of: 'one' } }), createTestContext())
  expect(await two.list(createTestContext())).toEqual([])
  await two.create(createSpec({ name: 'same', labels: { of: 'two' } }), createTestContext())
  expect((await one.inspect('same', createTestContext())).labels).toEqual({ of: 'one' })
})

it('breaks the lock of a process that is gone', async () => {
  const file = await stateFile()
  const { writeFile } = await import('node:fs/promises')
  await writeFile(`${file}.lock`, '2147483646')
  await provider({ file }).create(createSpec(), createTestContext())
})

it('throws, and throws no more, as programmed', async () => {
  const memory = provider({ faults: { create: { code: 'HOLM_DISK_FULL', message: 'full' } } })
  await expect(memory.create(createSpec(), createTestContext())).rejects.toMatchObject({
    code: 'HOLM_DISK_FULL',
  })
  expect(await memory.list(createTestContext())).toEqual([])
  memory.faults['create'] = undefined
  expect((await memory.create(createSpec(), createTestContext())).status).toBe('stopped')
  expect(memory.calls.map(({ method }) => method)).toEqual(['create', 'list', 'create'])
})

it('hangs until the abort and leaves nothing', async () => {
  const memory = provider({ faults: { create: 'hang-until-abort' } })
  const controller = new AbortController()
  const create = memory.create(createSpec(), createTestContext({ signal: controller.signal }))
  await expect.poll(async () => (await memory.list(createTestContext()))[0]?.status).toBe('creating')
  await expect(memory.create(createSpec(), createTestContext())).rejects.toMatchObject({
    code: 'HOLM_ENVIRONMENT_BUSY',
  })
  controller.abort()
  await expect(create).rejects.toMatchObject({ code: 'HOLM_INTERRUPTED' })
  expect(await memory.list(createTestContext())).toEqual([])
})

it('has the facets it is told to have', () => {
  const memory = provider({ facets: ['logs'] })
  expect(memory.logs).toBeDefined()
  expect(memory.snapshots).toBeUndefined()
})
