import { Readable, Transform } from 'node:stream'
import { HolmError, isHolmError } from '@holm/core'
import type {
  EnvironmentState,
  Facets,
  PluginDefinition,
  PluginManifest,
  Process,
  Provider,
} from '@holm/core'
import { memoryManifest, memoryPlugin } from '../src/memory/index.ts'
import type { ProviderKitOptions } from '../src/index.ts'

/** A memory provider with one rule broken, and exactly the checks that must notice. */
export interface Broken {
  readonly what: string
  /** What to change on the provider. */
  readonly breakIt?: (provider: Provider) => Partial<Provider>
  readonly options?: Partial<ProviderKitOptions>
  /** Suites to run; default `usualSuites`. */
  readonly suites?: readonly string[]
  readonly fails: readonly string[]
}

/** What nearly everything passes through. */
export const usualSuites = ['manifest', 'lifecycle', 'creation', 'exec', 'streams', 'leftovers']

/** Changes one process before it is handed out. */
function changeExec(change: (process: Process) => Process): (provider: Provider) => Partial<Provider> {
  return (provider) => ({
    exec: async (name, request, ctx) => change(await provider.exec(name, request, ctx)),
  })
}

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

function facet<F extends keyof Facets>(provider: Provider, name: F): Facets[F] {
  const found: Partial<Facets> = provider
  return found[name] as Facets[F]
}

/** Drops the last byte of what is longer than 64 KiB. */
function loseTheEnd(): Transform {
  let seen = 0
  let held: Buffer | undefined
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length
      if (held) this.push(held)
      held = seen > 65_536 ? chunk.subarray(-1) : undefined
      done(null, held ? chunk.subarray(0, -1) : chunk)
    },
  })
}

/** What becomes of bytes that no UTF-8 text has. */
function asText(): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      done(null, Buffer.from(chunk.map((byte) => (byte > 0xf7 ? 0x3f : byte))))
    },
  })
}

const unaware = new AbortController().signal

const executing: readonly Broken[] = [
  {
    what: 'exec loses the last bytes of large output',
    breakIt: changeExec((process) => ({ ...process, stdout: process.stdout.pipe(loseTheEnd()) })),
    fails: [
      'streams: 8 MiB of random bytes go in and come out',
      'streams: 8 MiB flow both ways at once',
      'streams: the last bytes before an exit are not lost',
    ],
  },
  {
    what: 'exec treats output as text',
    breakIt: changeExec((process) => ({ ...process, stdout: process.stdout.pipe(asText()) })),
    fails: [
      'streams: stdin and stdout carry every byte value',
      'streams: 8 MiB of random bytes go in and come out',
      'streams: 8 MiB flow both ways at once',
    ],
  },
  {
    what: 'exec always reports success',
    breakIt: changeExec((process) => ({ ...process, exited: process.exited.then(() => ({ code: 0 })) })),
    suites: ['exec', 'streams', 'pty'],
    fails: [
      'exec: exit codes arrive unchanged',
      'exec: a program killed by a signal exits with 128 + n',
      'exec: a missing program exits with 127',
      'exec: a program that may not be executed exits with 126',
      'exec: many programs run at once without mixing',
      'exec: a background process is seen by the next program',
      'streams: the last bytes before an exit are not lost',
      'streams: a reader that comes late gets everything',
      'streams: a program may end before it read its input',
      'pty: the exit code arrives',
      'pty: Ctrl-C interrupts the program',
    ],
  },
  {
    what: 'exec merges stderr into stdout',
    breakIt: changeExec((process) => ({ ...process, stdout: merge(process), stderr: Readable.from([]) })),
    suites: ['exec', 'streams'],
    fails: [
      'streams: stdout and stderr are kept apart',
      'streams: stderr carries every byte value',
      'streams: a reader that comes late gets everything',
    ],
  },
  {
    what: 'exec joins argv for a shell',
    breakIt: (provider) => ({
      exec: (name, request, ctx) =>
        provider.exec(name, { ...request, argv: ['sh', '-c', request.argv.join(' ')] }, ctx),
    }),
    suites: ['exec'],
    fails: [
      'exec: words of argv arrive exactly',
      'exec: each word alone arrives exactly',
      'exec: many words arrive',
      'exec: exit codes arrive unchanged',
      'exec: a program killed by a signal exits with 128 + n',
      'exec: values of env arrive exactly',
      'exec: env of the spec is seen, and env of the call wins',
      'exec: PATH is set',
      'exec: cwd is kept, with awkward characters',
      'exec: many programs run at once without mixing',
      'exec: a background process is seen by the next program',
      'exec: files of one program are seen by the next',
    ],
  },
  {
    what: 'exec passes the environment of this process on',
    breakIt: (provider) => ({
      exec: (name, request, ctx) => {
        const own = Object.entries(process.env).flatMap(([key, value]) =>
          value === undefined ? [] : [[key, value]],
        )
        const { PATH: _path, HOME: _home, ...env } = Object.fromEntries(own) as Record<string, string>
        return provider.exec(name, { ...request, env: { ...env, ...request.env } }, ctx)
      },
    }),
    fails: ['exec: env of this process does not leak inside'],
  },
  {
    what: 'exec ignores env',
    breakIt: (provider) => ({
      exec: (name, { env: _env, ...request }, ctx) => provider.exec(name, request, ctx),
    }),
    fails: ['exec: values of env arrive exactly', 'exec: env of the spec is seen, and env of the call wins'],
  },
  {
    what: 'exec throws for a missing program',
    breakIt: (provider) => ({
      exec: async (name, request, ctx) => {
        const process = await provider.exec(name, request, ctx)
        if (request.argv[0]?.includes('holm-') !== true) return process
        throw new HolmError('HOLM_TOOL_MISSING', 'not found')
      },
    }),
    fails: ['exec: a missing program exits with 127'],
  },
  {
    what: 'exec starts a stopped environment',
    breakIt: (provider) => ({
      exec: async (name, request, ctx) => {
        await provider.start(name, ctx)
        return provider.exec(name, request, ctx)
      },
    }),
    fails: ['exec: a stopped environment is refused'],
  },
  {
    what: 'exec ignores an abort',
    breakIt: (provider) => ({
      exec: (name, request, ctx) => provider.exec(name, request, { ...ctx, signal: unaware }),
    }),
    suites: ['signals', 'streams', 'exec'],
    fails: [
      'signals: an abort before exec begins starts nothing',
      'signals: an abort kills the program and its children',
    ],
  },
  {
    what: 'kill signals the program alone',
    breakIt: changeExec((child) => {
      const pid = (child as Process & { pid?: number }).pid
      return {
        ...child,
        kill: async (signal) => {
          try {
            if (pid !== undefined) process.kill(pid, signal)
          } catch (error) {
            if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
          }
        },
      }
    }),
    suites: ['signals'],
    fails: ['signals: a signal reaches the children, too'],
  },
  {
    what: 'resize does nothing',
    breakIt: changeExec((process) => ({ ...process, resize: async () => undefined })),
    suites: ['pty'],
    fails: ['pty: a resize is seen inside'],
  },
  {
    what: 'pty is ignored',
    breakIt: (provider) => ({
      exec: (name, { pty: _pty, ...request }, ctx) => provider.exec(name, request, ctx),
    }),
    suites: ['pty'],
    fails: [
      'pty: stdin, stdout and stderr are a terminal',
      'pty: it has the size that was asked for',
      'pty: a resize is seen inside',
      'pty: stdout carries what is written to stderr',
      'pty: Ctrl-C interrupts the program',
    ],
  },
]

function merge({ stdout, stderr }: Process): Readable {
  return Readable.from(
    (async function* () {
      yield* stdout
      yield* stderr
    })(),
    { objectMode: false },
  )
}

const living: readonly Broken[] = [
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
    fails: ['lifecycle: labels come back exactly'],
  },
  {
    what: 'labels are trimmed',
    breakIt: changeStates((state) => ({
      ...state,
      labels: Object.fromEntries(Object.entries(state.labels).filter(([, value]) => value !== '')),
    })),
    fails: ['lifecycle: labels come back exactly'],
  },
  {
    what: 'list leaves out what is stopped',
    breakIt: (provider) => ({
      list: async (ctx) => (await provider.list(ctx)).filter(({ status }) => status === 'running'),
    }),
    fails: [
      'lifecycle: list names exactly what exists',
      'creation: many creates of one name at once make exactly one',
    ],
  },
  {
    what: 'state is no JSON',
    breakIt: changeStates((state) => ({ ...state, extra: undefined })),
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

const facets: readonly Broken[] = [
  {
    what: 'a facet is there and not declared',
    options: {
      manifest: {
        ...memoryManifest,
        facets: (memoryManifest.facets ?? []).filter((name) => name !== 'clone'),
      },
    },
    fails: ['manifest: facets are those of the manifest'],
  },
  {
    what: 'a facet is declared and not there',
    breakIt: ({ clone: _clone, ...provider }) =>
      ({ ...provider, clone: undefined }) as unknown as Partial<Provider>,
    suites: ['manifest', 'clone'],
    fails: [
      'manifest: facets are those of the manifest',
      'clone: a clone has the files, the new name and the new labels',
      'clone: clone and origin are independent',
      'clone: several clones can be made at once',
      'clone: a taken name with other labels is a conflict',
      'clone: an unknown name is refused',
    ],
  },
  {
    what: 'traits differ from the manifest',
    breakIt: ({ traits }) => ({ traits: { ...traits, rootless: false } }),
    suites: ['manifest'],
    fails: ['manifest: traits are those of the manifest'],
  },
  {
    what: 'the manifest is of another contract',
    options: { manifest: { ...memoryManifest, contract: 2 } satisfies PluginManifest },
    suites: ['manifest'],
    fails: ['manifest: the manifest is complete'],
  },
  {
    what: 'the plugin registers another id',
    options: {
      plugin: {
        ...memoryPlugin,
        setup: (api) => void api.provide('provider', 'other', () => ({ id: 'other' }) as Provider),
      } satisfies PluginDefinition,
    },
    suites: ['manifest'],
    fails: [
      'manifest: setup registers what the manifest announces, and nothing else',
      'manifest: what it provides has the id of the manifest',
    ],
  },
  {
    what: 'logs ignore tail',
    breakIt: (provider) => ({
      logs: {
        read: (name, { follow }, ctx) => facet(provider, 'logs').read(name, { follow }, ctx),
      },
    }),
    suites: ['logs'],
    fails: ['logs: tail gives the last lines only'],
  },
  {
    what: 'ports of a stopped environment stay',
    breakIt: (provider) => {
      const known = new Map<string, Awaited<ReturnType<Facets['ports']['list']>>>()
      return {
        ports: {
          list: async (name, ctx) => {
            const found = await facet(provider, 'ports').list(name, ctx)
            if (found.length > 0) known.set(name, found)
            return known.get(name) ?? found
          },
        },
      }
    },
    suites: ['ports'],
    fails: ['ports: a stopped environment has none, and gets them again'],
  },
  {
    what: 'pause only says so',
    breakIt: (provider) => ({
      pause: {
        pause: async (name, ctx) => ({ ...(await provider.inspect(name, ctx)), status: 'paused' }),
        resume: async (name, ctx) => provider.inspect(name, ctx),
      },
    }),
    suites: ['pause'],
    fails: [
      'pause: pause freezes and resume thaws, memory kept',
      'pause: exec in a paused environment is refused',
      'pause: a stopped environment is refused',
      'pause: an unknown name is refused',
    ],
  },
  {
    what: 'restore puts nothing back',
    breakIt: (provider) => ({
      snapshots: {
        ...facet(provider, 'snapshots'),
        restore: (name, _snapshot, ctx) => provider.stop(name, { graceMs: 0 }, ctx),
      },
    }),
    suites: ['snapshots'],
    fails: [
      'snapshots: restore puts the files back and leaves it stopped',
      'snapshots: a stopped environment can be saved, too',
      'snapshots: an unknown name is refused',
    ],
  },
  {
    what: 'a clone is empty',
    breakIt: (provider) => ({ clone: { clone: (_name, spec, ctx) => provider.create(spec, ctx) } }),
    suites: ['clone'],
    fails: [
      'clone: a clone has the files, the new name and the new labels',
      'clone: an unknown name is refused',
    ],
  },
  {
    what: 'metrics are always zero',
    breakIt: () => ({ metrics: { sample: async () => ({ cpuPercent: 0, memoryBytes: 0, processes: 0 }) } }),
    suites: ['metrics'],
    fails: [
      'metrics: a sample is measured and plausible',
      'metrics: a busy program shows',
      'metrics: an unknown name is refused',
    ],
  },
  {
    what: 'files drop the mode',
    breakIt: (provider) => ({
      files: {
        get: facet(provider, 'files').get,
        put: async (name, entry, ctx) => {
          await facet(provider, 'files').put(name, entry, ctx)
          const child = await provider.exec(name, { argv: ['chmod', '-R', 'a=rx', '.'], cwd: '/root' }, ctx)
          child.stdout.resume()
          child.stderr.resume()
          await child.exited
        },
      },
    }),
    suites: ['files'],
    fails: [
      'files: what is put in arrives with content, mode and awkward names',
      'files: it works while the environment is stopped',
    ],
  },
]

export const brokenProviders: readonly Broken[] = [...executing, ...living, ...facets]
