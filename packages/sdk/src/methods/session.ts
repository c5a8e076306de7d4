import { z } from 'zod'
import { subscription } from '../shapes.ts'

const none = z.strictObject({})

export const sessionMethods = {
  'session.authenticate': {
    summary:
      'Shows the token. The first message on a unix socket; a WebSocket has shown it before it was opened.',
    params: z.strictObject({ token: z.string().max(512) }),
    result: z.object({ protocol: z.number() }),
  },
  'session.info': {
    summary: 'Tells what this server is, and its limits.',
    params: none,
    result: z.object({
      protocol: z.number().describe('Version of this API'),
      namespace: z.string(),
      pid: z.number(),
      methods: z.array(z.string()).readonly(),
      limits: z.object({
        messageBytes: z.number().describe('Longest message, in both directions'),
        messagesPerSecond: z.number().describe('What comes quicker is read later'),
        callsAtOnce: z.number(),
        executionsAtOnce: z.number(),
        subscriptionsAtOnce: z.number(),
        chunkBytes: z.number().describe('Most bytes of a file in one message'),
      }),
    }),
  },
  'session.cancel': {
    summary: 'Ends a call that is still going on: it answers with an error.',
    notification: true,
    params: z.strictObject({ id: z.union([z.string(), z.number()]).describe('Id of the request') }),
    result: z.null(),
  },
  'subscription.cancel': {
    summary: 'Ends a subscription.',
    params: z.strictObject({ subscription }),
    result: z.object({ existed: z.boolean() }),
  },
} as const

export const sessionNotifications = {
  'session.closing': {
    summary: 'The server ends; programs that were started over this connection are ended.',
    params: z.object({ reason: z.string() }),
  },
} as const
