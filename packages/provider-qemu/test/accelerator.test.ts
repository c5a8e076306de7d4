import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { within } from '@holm/testkit'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { findAccelerator, type MachineFacts, type Trial, type Verdict } from '../src/accelerator.ts'
import { context } from './subject.ts'

/** A machine whose /dev/kvm opens, with a processor that offers it. */
const machine: MachineFacts = { device: true, processor: 'flags : fpu vmx', kernel: '6.1.0-1 first-start' }
let folder: string
let trial: Trial

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "holm kvm'"))
  trial = {
    architecture: 'x86_64',
    version: '7.2.0',
    folder: path.join(folder, 'data'),
    env: { PATH: `${folder}:${process.env['PATH'] ?? ''}` },
  }
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** A QEMU on PATH that notes its process and arguments, then does what the script says. */
async function standIn(script: string): Promise<void> {
  const file = path.join(folder, 'qemu-system-x86_64')
  await writeFile(
    file,
    `#!/bin/sh\necho "$$ $*" >>${JSON.stringify(path.join(folder, 'started'))}\n${script}\n`,
  )
  await chmod(file, 0o755)
}

const find = (more: Partial<Trial> = {}, facts: Partial<MachineFacts> = {}): Promise<Verdict> =>
  within(findAccelerator({ ...trial, ...more }, context(), { ...machine, ...facts }), {
    what: 'the verdict on KVM',
    deadlineMs: 15_000,
  })

const started = async (): Promise<string[]> =>
  (await readFile(path.join(folder, 'started'), 'utf8').catch(() => '')).trim().split('\n').filter(Boolean)

it('a KVM that hangs costs a bounded time once, and nothing of it goes on', async () => {
  await standIn('exec sleep 600')
  const verdict = await find()
  expect(verdict).toEqual({
    accelerator: 'tcg',
    reason: 'KVM is here and does not work: a first program did not end within a second.',
  })
  const [run = ''] = await started()
  expect(run).toContain('-accel kvm')
  expect(() => process.kill(Number(run.split(' ')[0]), 0)).toThrow('ESRCH')
  expect(await find()).toEqual(verdict)
  expect(await started()).toHaveLength(1)
})

it('the verdict ends with the version of QEMU, with the kernel, and with the start of the machine', async () => {
  await standIn('exit 1')
  const changes: (readonly [Partial<Trial>, Partial<MachineFacts>])[] = [
    [{}, {}],
    [{ version: '7.2.1' }, {}],
    [{}, { kernel: '6.1.0-2 first-start' }],
    [{}, { kernel: '6.1.0-1 second-start' }],
  ]
  for (const [index, [more, facts]] of changes.entries()) {
    expect((await find(more, facts)).accelerator).toBe('tcg')
    expect((await find(more, facts)).accelerator).toBe('tcg')
    expect(await started()).toHaveLength(index + 1)
  }
})

it('a KVM whose first program comes to its end is used', async () => {
  await standIn('exit 33')
  expect(await find()).toEqual({ accelerator: 'kvm' })
})

it('what cannot work is not tried', async () => {
  await standIn('exit 33')
  expect((await find({}, { device: false })).reason).toContain('/dev/kvm')
  expect((await find({}, { processor: 'flags : fpu' })).reason).toContain('no vmx or svm')
  expect(await started()).toEqual([])
})
