import { HolmError, isHolmError } from '@holm/core'
import type { EnvironmentState, Provider } from '@holm/core'
import type { Broken } from './broken.ts'

/** Changes every state before it is handed out. */
function changeStates(
  change: (state: EnvironmentState) => EnvironmentState,
): (provider: Provider) => Partial<Provider> {
  return (provider) => ({
    create: async (spec, ctx) => change(await provider.create(spec, ctx)),
    inspect: async (name, ctx) => change(await provider.inspect(name, ctx)),
    list: async (ctx) => (await provider.list(ctx)).map(change),
    start: async (name, ctx) => change(await provider.start(name, ctx)),
    stop: async (name, options, ctx) => change(await provider.stop(name, options, ctx)),
  })
}

const unaware = new AbortController().signal

export const brokenLife: readonly Broken[] = [
  {
    what: 'remove fails for what is not there',
    breakIt: (provider) => ({
      remove: async (name, options, ctx) => {
        const { status } = await provider.inspect(name, ctx)
        if (status === 'absent') throw new HolmError('HOLM_ENVIRONMENT_NOT_FOUND', name)
        await provider.remove(name, options, ctx)
      },
    }),
    suites: ['lifecycle', 'exec'],
    fails: [
      'lifecycle: stop and remove of an unknown name succeed',
      'lifecycle: remove can be repeated and leaves nothing',
      'lifecycle: a whole life can be lived again under one name',
      'lifecycle: list names exactly what exists',
    ],
  },
  {
    what: 'remove does nothing',
    breakIt: () => ({ remove: async () => undefined }),
    suites: ['lifecycle', 'leftovers'],
    fails: [
      'lifecycle: remove can be repeated and leaves nothing',
      'lifecycle: a whole life can be lived again under one name',
      'lifecycle: list names exactly what exists',
      'leftovers: only the shared environment is left',
    ],
  },
  {
    what: 'inspect throws for an unknown name',
    breakIt: (provider) => ({
      inspect: async (name, ctx) => {
        const state = await provider.inspect(name, ctx)
        if (state.status !== 'absent') return state
        throw new HolmError('HOLM_ENVIRONMENT_NOT_FOUND', name)
      },
    }),
    suites: ['lifecycle', 'creation'],
    fails: [
      'lifecycle: an unknown name is absent, not an error',
      'lifecycle: remove can be repeated and leaves nothing',
      'creation: a missing base is refused and leaves nothing',
      'creation: an abort before create begins leaves nothing',
      'creation: an abort in the middle of create leaves nothing',
      'creation: an abort at the first sign of progress leaves nothing',
    ],
  },
  {
    what: 'labels are lost in list',
    breakIt: (provider) => ({
      list: async (ctx) => (await provider.list(ctx)).map((state) => ({ ...state, labels: {} })),
    }),
    suites: ['lifecycle', 'creation'],
    fails: ['lifecycle: labels come back exactly'],
  },
  {
    what: 'labels are trimmed',
    breakIt: changeStates((state) => ({
      ...state,
      labels: Object.fromEntries(Object.entries(state.labels).filter(([, value]) => value !== '')),
    })),
    suites: ['lifecycle', 'creation'],
    fails: ['lifecycle: labels come back exactly'],
  },
  {
    what: 'list leaves out what is stopped',
    breakIt: (provider) => ({
      list: async (ctx) => (await provider.list(ctx)).filter(({ status }) => status === 'running'),
    }),
    suites: ['lifecycle', 'creation'],
    fails: [
      'lifecycle: list names exactly what exists',
      'creation: many creates of one name at once make exactly one',
    ],
  },
  {
    what: 'state is no JSON',
    breakIt: changeStates((state) => ({ ...state, extra: undefined })),
    suites: ['lifecycle', 'creation'],
    fails: [
      'lifecycle: an unknown name is absent, not an error',
      'lifecycle: create makes it stopped, and again changes nothing',
      'lifecycle: start can be repeated and changes nothing',
      'lifecycle: stop can be repeated and changes nothing',
      'lifecycle: state is JSON and survives a round trip',
      'lifecycle: list names exactly what exists',
    ],
  },
  {
    what: 'create ignores an abort',
    breakIt: (provider) => ({
      create: async (spec, ctx) => {
        const state = await provider.create(spec, { ...ctx, signal: unaware })
        if (ctx.signal.aborted) throw new HolmError('HOLM_INTERRUPTED', 'too late')
        return state
      },
    }),
    suites: ['lifecycle', 'creation'],
    fails: [
      'creation: an abort before create begins leaves nothing',
      'creation: an abort in the middle of create leaves nothing',
      'creation: an abort at the first sign of progress leaves nothing',
    ],
  },
  {
    what: 'an abort is a plain error',
    breakIt: (provider) => ({
      create: async (spec, ctx) => {
        try {
          return await provider.create(spec, ctx)
        } catch (error) {
          if (!isHolmError(error, 'HOLM_INTERRUPTED')) throw error
          throw new DOMException('aborted', 'AbortError')
        }
      },
    }),
    suites: ['lifecycle', 'creation'],
    fails: [
      'creation: an abort before create begins leaves nothing',
      'creation: an abort in the middle of create leaves nothing',
      'creation: an abort at the first sign of progress leaves nothing',
    ],
  },
  {
    what: 'create takes over a name with other labels',
    breakIt: (provider) => ({
      create: async (spec, ctx) => {
        const state = await provider.inspect(spec.name, ctx)
        return state.status === 'absent' ? provider.create(spec, ctx) : state
      },
    }),
    suites: ['lifecycle', 'creation'],
    fails: ['creation: a taken name with other labels is a conflict'],
  },
  {
    what: 'create fails for a name that exists',
    breakIt: (provider) => ({
      create: async (spec, ctx) => {
        const { status } = await provider.inspect(spec.name, ctx)
        if (status === 'absent') return provider.create(spec, ctx)
        throw new HolmError('HOLM_ENVIRONMENT_CONFLICT', spec.name)
      },
    }),
    suites: ['lifecycle', 'creation'],
    fails: [
      'lifecycle: create makes it stopped, and again changes nothing',
      'lifecycle: create of a running environment returns it running',
    ],
  },
  {
    what: 'start starts anew what runs',
    breakIt: (provider) => ({
      start: async (name, ctx) => {
        await provider.stop(name, { graceMs: 0 }, ctx)
        return provider.start(name, ctx)
      },
    }),
    suites: ['lifecycle', 'creation'],
    fails: ['lifecycle: start can be repeated and changes nothing'],
  },
  {
    what: 'stop fails for what is stopped',
    breakIt: (provider) => ({
      stop: async (name, options, ctx) => {
        const { status } = await provider.inspect(name, ctx)
        if (status === 'stopped') throw new HolmError('HOLM_ENVIRONMENT_NOT_RUNNING', name)
        return provider.stop(name, options, ctx)
      },
    }),
    suites: ['lifecycle', 'creation'],
    fails: [
      'lifecycle: stop can be repeated and changes nothing',
      'lifecycle: stop of an environment that was never started succeeds',
    ],
  },
  {
    what: 'volumes are removed without being asked',
    breakIt: (provider) => ({
      remove: (name, _options, ctx) => provider.remove(name, { volumes: true }, ctx),
    }),
    suites: ['lifecycle', 'mounts'],
    fails: ['mounts: a named volume survives remove until it is asked for'],
  },
  {
    what: 'limits are not reported',
    breakIt: changeStates((state) => ({ ...state, limits: [] })),
    suites: ['lifecycle', 'limits'],
    fails: [
      'limits: every declared limit is in the state, with what enforces it',
      'limits: the memory limit stops a program that takes more',
      'limits: the pids limit stops a program that starts more',
      'limits: the pids limit stays when a second program runs',
    ],
  },
]
