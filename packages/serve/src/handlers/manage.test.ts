import type { CommandDefinition, HostApi } from '@holm/core'
import { expect, it } from 'vitest'
import { limitsOf } from '../options.ts'
import type { Call } from '../session.ts'
import { manageHandlers } from './manage.ts'

it('reads the lines of a service that has an environment to itself', async () => {
  const asked: unknown[] = []
  const command: Pick<CommandDefinition, 'run'> = {
    async run({ args, flags }) {
      asked.push({ args, flags })
      return { data: null, next: ['logs', 'shop-db', '--tail', '2'] }
    },
  }
  const host = {
    commands: { load: async () => command },
    async *logs(name: string, { follow, tail }: { readonly follow: boolean; readonly tail?: number }) {
      asked.push({ name, follow, tail })
      yield { stream: 'stdout', data: Buffer.from('one\ntw') }
      yield { stream: 'stderr', data: Buffer.from('o\n') }
    },
  } as unknown as HostApi
  const call = {
    backend: { host },
    session: { limits: limitsOf({}) },
    signal: new AbortController().signal,
  } as unknown as Call
  const read = await manageHandlers['service.logs']({ environment: 'shop', service: 'db', lines: 2 }, call)
  expect(read).toEqual({ text: 'one\ntwo\n', truncated: false })
  expect(asked).toEqual([
    { args: { service: 'db' }, flags: { environment: 'shop', tail: 2 } },
    { name: 'shop-db', follow: false, tail: 2 },
  ])
})
