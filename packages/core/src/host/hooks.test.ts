import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { HolmError } from '../errors.ts'
import type { EnvironmentSpec } from '../spec.ts'
import { createHooks, hookNames, hookTable, type HookWarning } from './hooks.ts'

function create() {
  const warnings: HookWarning[] = []
  return { hooks: createHooks({ onWarning: (warning) => warnings.push(warning) }), warnings }
}

const state = { environment: 'demo' }
const stop = { environment: 'demo', provider: 'memory' }
const selection = { spec: {} as EnvironmentSpec, candidates: [] }

describe('the table', () => {
  test.each(hookNames)('%s has the shape that its first word fixes', (name) => {
    expect(/^[a-z]+/.exec(name)?.[0]).toBe(hookTable[name].shape)
  })

  test('a hook without taps does not import tapable', () => {
    const url = new URL('hooks.ts', import.meta.url).href
    const script = `
      import { registerHooks } from 'node:module'
      registerHooks({ load(url, context, next) { if (/tapable/.test(url)) console.log('imported', url); return next(url, context) } })
      const { createHooks } = await import(${JSON.stringify(url)})
      const hooks = createHooks({ onWarning() {} })
      await hooks.before('beforeStop', {})
      hooks.emit('onEvent', {})
      console.log('untapped')
      hooks.tap('p', 'beforeStop', { fn() {} })
      await hooks.before('beforeStop', {})`
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
    })
    expect(stdout.split('\n')[0]).toBe('untapped')
    expect(stdout).toContain('imported')
  })
})

describe('resolve', () => {
  test('passes the value from tap to tap, by stage and then by registration', async () => {
    const { hooks } = create()
    const append = (word: string) => (value: Readonly<Record<string, unknown>>) => ({
      words: `${String(value['words'])} ${word}`,
    })
    hooks.tap('late', 'resolveConfig', { fn: append('late'), stage: 10 })
    hooks.tap('one', 'resolveConfig', { fn: async (value) => append('one')(value) })
    hooks.tap('two', 'resolveConfig', { fn: append('two') })
    hooks.tap('early', 'resolveConfig', { fn: append('early'), stage: -10 })
    expect(await hooks.resolve('resolveConfig', { words: '' }, { cwd: '/' })).toEqual({
      words: ' early one two late',
    })
  })

  test.each([undefined, null])(
    'a tap that returns %s is refused, naming plugin and hook',
    async (nothing) => {
      const { hooks } = create()
      hooks.tap('forgetful', 'resolveConfig', { fn: () => nothing as never })
      await expect(hooks.resolve('resolveConfig', {}, { cwd: '/' })).rejects.toMatchObject({
        code: 'HOLM_PLUGIN_HOOK',
        plugin: 'forgetful',
        message: 'plugin forgetful returned nothing from resolveConfig',
      })
    },
  )

  test('a throw names the plugin and keeps cause and hint', async () => {
    const { hooks } = create()
    const cause = new HolmError('HOLM_BLUEPRINT_INVALID', 'no base', { hint: 'Add a base.' })
    hooks.tap('picky', 'resolveConfig', {
      fn() {
        throw cause
      },
    })
    await expect(hooks.resolve('resolveConfig', {}, { cwd: '/' })).rejects.toMatchObject({
      code: 'HOLM_PLUGIN_HOOK',
      plugin: 'picky',
      message: 'plugin picky failed in resolveConfig: no base',
      hint: 'Add a base.',
      cause,
    })
  })

  test('an interruption passes through as it is', async () => {
    const { hooks } = create()
    const cause = new HolmError('HOLM_INTERRUPTED', 'interrupted')
    hooks.tap('slow', 'resolveConfig', { fn: () => Promise.reject(cause) })
    await expect(hooks.resolve('resolveConfig', {}, { cwd: '/' })).rejects.toBe(cause)
  })
})

describe('select', () => {
  test('the first answer wins and the later taps are not asked', async () => {
    const { hooks } = create()
    const asked: string[] = []
    const answer = (plugin: string, value: string | undefined) =>
      hooks.tap(plugin, 'selectProvider', {
        fn() {
          asked.push(plugin)
          return value
        },
      })
    answer('none', undefined)
    answer('null', null as never)
    answer('yes', 'docker')
    answer('never', 'lxc')
    expect(await hooks.select('selectProvider', selection)).toBe('docker')
    expect(asked).toEqual(['none', 'null', 'yes'])
  })

  test('nobody answers', async () => {
    const { hooks } = create()
    expect(await hooks.select('selectProvider', selection)).toBeUndefined()
    hooks.tap('none', 'selectProvider', { fn: () => undefined })
    expect(await hooks.select('selectProvider', selection)).toBeUndefined()
  })
})

describe('before', () => {
  test.each([
    ['an Error', new Error('not on Fridays')],
    ['a string', 'not on Fridays'],
    ['a HolmError', new HolmError('HOLM_USAGE', 'not on Fridays')],
  ])('a tap that throws %s vetoes and stops the series', async (_, cause) => {
    const { hooks, warnings } = create()
    let reached = false
    hooks.tap('calendar', 'beforeStop', { fn: () => Promise.reject(cause) })
    hooks.tap('next', 'beforeStop', {
      fn() {
        reached = true
      },
    })
    await expect(hooks.before('beforeStop', stop)).rejects.toMatchObject({
      code: 'HOLM_HOOK_VETO',
      plugin: 'calendar',
      message: 'calendar refused (beforeStop): not on Fridays',
      cause,
    })
    expect(reached).toBe(false)
    expect(warnings).toEqual([])
  })

  test('throwing undefined is a veto too', async () => {
    const { hooks } = create()
    hooks.tap('odd', 'beforeStop', { fn: () => Promise.reject(undefined) })
    await expect(hooks.before('beforeStop', stop)).rejects.toMatchObject({ code: 'HOLM_HOOK_VETO' })
  })
})

describe('after', () => {
  test('all taps run; errors become warnings that name the plugin', async () => {
    const { hooks, warnings } = create()
    const ran: string[] = []
    hooks.tap('bad', 'afterStop', {
      fn() {
        throw new Error('boom')
      },
    })
    hooks.tap('good', 'afterStop', {
      async fn({ environment }) {
        ran.push(environment)
      },
    })
    await hooks.after('afterStop', state)
    expect(ran).toEqual(['demo'])
    expect(warnings).toMatchObject([{ plugin: 'bad', message: 'plugin bad failed in afterStop: boom' }])
  })
})

describe('on', () => {
  test('observers get every event in order, also while tapable is imported; failures are one warning', async () => {
    const { hooks, warnings } = create()
    const seen: string[] = []
    hooks.tap('watcher', 'onEvent', {
      fn(event) {
        if (event.type === 'warning') seen.push(event.message)
      },
    })
    hooks.tap('broken', 'onEvent', { fn: () => Promise.reject(new Error('boom')) })
    for (const message of ['a', 'b']) hooks.emit('onEvent', { type: 'warning', message })
    await hooks.idle()
    hooks.emit('onEvent', { type: 'warning', message: 'c' })
    expect(seen).toEqual(['a', 'b', 'c'])
    await hooks.idle()
    expect(warnings.map(({ plugin }) => plugin)).toEqual(['broken'])
  })

  test('emit does not wait for an observer', async () => {
    const { hooks } = create()
    const gate = Promise.withResolvers<void>()
    hooks.tap('slow', 'onEvent', { fn: () => gate.promise })
    hooks.emit('onEvent', { type: 'warning', message: 'a' })
    let idle = false
    const waited = hooks.idle().then(() => (idle = true))
    await hooks.select('selectProvider', selection)
    expect(idle).toBe(false)
    gate.resolve()
    await waited
    expect(idle).toBe(true)
  })
})

test('a disposed tap is gone, the others stay', async () => {
  const { hooks } = create()
  const ran: string[] = []
  const tap = (plugin: string) =>
    hooks.tap(plugin, 'afterStop', {
      fn() {
        ran.push(plugin)
      },
    })
  const dispose = tap('one')
  tap('two')
  await hooks.after('afterStop', state)
  dispose()
  dispose()
  await hooks.after('afterStop', state)
  expect(ran).toEqual(['one', 'two', 'two'])
  expect(hooks.tapped('afterStop')).toBe(true)
  expect(hooks.tapped('beforeStop')).toBe(false)
})

describe('an observer that throws', () => {
  test('is told of once, though the warning is an event that it sees, too', async () => {
    const warnings: string[] = []
    let seen = 0
    const hooks = createHooks({
      onWarning: ({ message }) => {
        warnings.push(message)
        hooks.emit('onEvent', { type: 'warning', message })
      },
    })
    hooks.tap('grumpy', 'onEvent', {
      fn() {
        seen += 1
        // Ends a test that would never end.
        if (seen < 20) throw new Error('boom')
      },
    })
    hooks.emit('onEvent', { type: 'warning', message: 'first' })
    hooks.emit('onEvent', { type: 'warning', message: 'second' })
    await hooks.idle()
    expect(warnings).toEqual(['plugin grumpy failed in onEvent: boom'])
    expect(seen).toBe(3)
  })
})
