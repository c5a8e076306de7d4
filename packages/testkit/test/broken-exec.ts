import { Readable, Transform } from 'node:stream'
import { HolmError } from '@holm/core'
import type { Process, Provider } from '@holm/core'
import type { Broken } from './broken.ts'

/** Changes one process before it is handed out. */
function changeExec(change: (process: Process) => Process): (provider: Provider) => Partial<Provider> {
  return (provider) => ({
    exec: async (name, request, ctx) => change(await provider.exec(name, request, ctx)),
  })
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

export const brokenExec: readonly Broken[] = [
  {
    what: 'exec loses the last bytes of large output',
    breakIt: changeExec((process) => ({ ...process, stdout: process.stdout.pipe(loseTheEnd()) })),
    suites: ['exec', 'streams'],
    fails: [
      'streams: 8 MiB of random bytes go in and come out',
      'streams: 8 MiB flow both ways at once',
      'streams: the last bytes before an exit are not lost',
    ],
  },
  {
    what: 'exec treats output as text',
    breakIt: changeExec((process) => ({ ...process, stdout: process.stdout.pipe(asText()) })),
    suites: ['exec', 'streams'],
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
    suites: ['exec'],
    fails: ['exec: env of this process does not leak inside'],
  },
  {
    what: 'exec ignores env',
    breakIt: (provider) => ({
      exec: (name, { env: _env, ...request }, ctx) => provider.exec(name, request, ctx),
    }),
    suites: ['exec'],
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
    suites: ['exec'],
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
    suites: ['exec'],
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
