import { expect, it } from 'vitest'
import { setStage } from '../../../test/memory-host.ts'
import { definePlugin, type PluginApi } from '../../index.ts'

interface Note {
  readonly text: string
}

it('keeps documents of a plugin for the next holm, apart from those of others', async () => {
  const stage = await setStage()
  const open = async (name: string): Promise<PluginApi> => {
    let api: PluginApi | undefined
    const plugin = definePlugin({ name, contract: 1, setup: (given) => void (api = given) })
    const host = await stage.open({ plugins: [plugin] })
    await host.commands.list()
    if (!api) throw new Error('the plugin was not set up')
    return api
  }
  const notes = (await open('one')).records<Note>('note')
  expect(notes.list()).toEqual([])
  notes.put('b', { text: 'second' })
  notes.put('a', { text: 'first' })
  const again = (await open('one')).records<Note>('note')
  expect(again.list()).toEqual([{ text: 'first' }, { text: 'second' }])
  again.put('a', { text: 'changed' })
  again.remove('b')
  expect([notes.get('a'), notes.get('b')]).toEqual([{ text: 'changed' }, undefined])
  expect((await open('two')).records<Note>('note').list()).toEqual([])
  expect((await open('one')).records<Note>('other').list()).toEqual([])
  const held = notes.hold('a', 'write', () => again.hold('a', 'write', () => Promise.resolve('both')))
  await expect(held).rejects.toMatchObject({
    code: 'HOLM_ENVIRONMENT_BUSY',
    message: expect.stringMatching(/^note a is busy: write by process/),
  })
  await expect(again.hold('a', 'write', () => Promise.resolve('free'))).resolves.toBe('free')
})
