import { z } from 'zod'
import { encoding, execution, program, size, timeoutMs } from '../shapes.ts'

const signal = z
  .enum([
    'SIGHUP',
    'SIGINT',
    'SIGQUIT',
    'SIGKILL',
    'SIGTERM',
    'SIGUSR1',
    'SIGUSR2',
    'SIGCONT',
    'SIGSTOP',
    'SIGWINCH',
  ])
  .describe('To the program and its children')

/** Programs inside. They belong to the connection that started them, and are ended with it. */
export const execMethods = {
  'exec.run': {
    summary:
      'Runs a program to its end and collects what it writes. A code other than 0 is a result, not an error; an end by `timeoutMs` is an error, with the output so far in `data`.',
    params: z.strictObject({
      ...program,
      input: z.string().exactOptional(),
      inputEncoding: encoding.exactOptional(),
      encoding: encoding.exactOptional().describe('Of the output; `utf8` unless given'),
      timeoutMs: timeoutMs.exactOptional(),
    }),
    result: z.object({
      code: z.number(),
      signal: z.string().optional(),
      stdout: z.string(),
      stderr: z.string(),
      encoding,
      truncated: z.boolean().describe('It wrote more than fits into a message; the end was kept'),
    }),
  },
  'exec.start': {
    summary: 'Starts a program whose output comes as `exec.output`, and whose end as `exec.ended`.',
    params: z.strictObject({
      ...program,
      stdin: z.boolean().exactOptional().describe('It gets input by `exec.write`'),
      pty: size.exactOptional().describe('It gets a terminal; all output is then `stdout`'),
      timeoutMs: timeoutMs.exactOptional().describe('None unless given'),
      window: z
        .int()
        .min(4096)
        .max(64 * 1024 * 1024)
        .exactOptional()
        .describe('Bytes of output sent before one must be acknowledged; absent: no such limit'),
    }),
    result: z.object({ execution }),
  },
  'exec.write': {
    summary: 'Gives input; answers when the program can take more.',
    params: z.strictObject({
      execution,
      data: z.string().exactOptional(),
      encoding: encoding.exactOptional(),
      end: z.boolean().exactOptional().describe('Nothing comes after this'),
    }),
    result: z.null(),
  },
  'exec.acknowledge': {
    summary: 'Tells that bytes of output were dealt with.',
    notification: true,
    params: z.strictObject({ execution, bytes: z.int().min(1) }),
    result: z.null(),
  },
  'exec.resize': {
    summary: 'Changes the size of the terminal.',
    params: z.strictObject({ execution, ...size.shape }),
    result: z.null(),
  },
  'exec.signal': {
    summary: 'Sends a signal. A program that has ended is no error.',
    params: z.strictObject({ execution, signal }),
    result: z.null(),
  },
} as const

export const execNotifications = {
  'exec.output': {
    summary: 'Output, in order.',
    params: z.object({
      execution,
      stream: z.enum(['stdout', 'stderr']),
      data: z.string().describe('base64'),
    }),
  },
  'exec.ended': {
    summary: 'The program has ended, and all its output was sent.',
    params: z.object({
      execution,
      code: z.number().describe('128 + n for signal n'),
      signal: z.string().optional(),
      timedOut: z.boolean(),
      lost: z.string().optional().describe('Why its end could not be learned'),
    }),
  },
} as const
