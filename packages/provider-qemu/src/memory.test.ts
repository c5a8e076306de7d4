import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { fileNames } from './argv.ts'
import { resumeMachine, writeMemory } from './memory.ts'
import { withQmp } from './qmp.ts'

let folder: string
beforeEach(async () => void (folder = await mkdtemp(path.join(tmpdir(), 'holm memory '))))
afterEach(() => rm(folder, { recursive: true, force: true }))

interface Asked {
  readonly execute: string
  readonly arguments: { readonly uri?: string }
  readonly id: number
}

/** Listens where QEMU does. What is no answer is a refusal. */
async function answerAs(answer: (asked: Asked) => unknown): Promise<AsyncDisposable> {
  const server = createServer((socket) => {
    const send = (words: object): void => void socket.write(`${JSON.stringify(words)}\n`)
    socket.on('error', () => undefined)
    send({ QMP: { version: {} } })
    createInterface({ input: socket }).on('line', (line) => {
      const asked = JSON.parse(line) as Asked
      const said = answer(asked)
      if (typeof said === 'string') send({ id: asked.id, error: { class: 'GenericError', desc: said } })
      else send({ id: asked.id, return: said ?? {} })
    })
  })
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(path.join(folder, fileNames.control), resolve)
  await promise
  return { [Symbol.asyncDispose]: async () => void server.close() }
}

const signal = new AbortController().signal

it('a machine goes on as soon as its migration is final', async () => {
  let refusals = 3
  await using _ = await answerAs(({ execute }) => {
    if (execute !== 'cont' || refusals === 0) return {}
    refusals -= 1
    return 'Migration is not finalized yet'
  })
  await withQmp(folder, resumeMachine)
  expect(refusals).toBe(0)
})

it('another refusal is an error at once', async () => {
  await using _ = await answerAs(({ execute }) => (execute === 'cont' ? 'Resetting is required' : {}))
  await expect(withQmp(folder, resumeMachine)).rejects.toThrow('QEMU refuses cont: Resetting is required')
})

/** Runs what QEMU would, and says that all is done before any of it is. */
async function save(bytes: string, status = 'completed'): Promise<void> {
  await using _ = await answerAs(({ execute, arguments: { uri = '' } }) => {
    if (execute === 'query-migrate') return { status }
    if (execute !== 'migrate') return {}
    const script = uri.replace(/^exec:/, '')
    const child = spawn('/bin/sh', ['-c', script], { cwd: folder, stdio: ['pipe', 'ignore', 'ignore'] })
    child.stdin.on('error', () => undefined)
    setTimeout(() => child.stdin.end(bytes), 200)
    return {}
  })
  await withQmp(folder, (qmp) => writeMemory(qmp, { folder, file: 'memory-1' }, { signal }))
}

it('a memory is there when everything of it is in its file', async () => {
  await save('x'.repeat(100_000))
  expect((await readFile(path.join(folder, 'memory-1'), 'utf8')).length).toBe(100_000)
  expect((await readdir(folder)).filter((name) => name.startsWith('memory-1.'))).toEqual([])
})

it('a memory that QEMU could not save is an error, and no file', async () => {
  await expect(save('half', 'failed')).rejects.toThrow('QEMU could not save the memory')
  expect(await readdir(folder)).toEqual([])
})

it('a memory that its file could not take is an error, and no file', async () => {
  // A folder of that name is what no shell can write to.
  await mkdir(path.join(folder, 'memory-1.part'))
  await expect(save('x')).rejects.toThrow('the memory could not be written to its file')
})
