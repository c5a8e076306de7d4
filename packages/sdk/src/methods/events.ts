import { z } from 'zod'
import { environment, event, subscription } from '../shapes.ts'

export const eventMethods = {
  'event.subscribe': {
    summary: 'Tells what happens to environments from now on, whichever holm does it.',
    params: z.strictObject({
      environment: environment.exactOptional(),
      after: z.int().min(0).exactOptional().describe('Also the stored ones after this id'),
    }),
    result: z.object({ subscription, last: z.number().describe('Id of the newest event there is') }),
  },
} as const

export const eventNotifications = {
  'event.occurred': {
    summary: 'A stored event, in order.',
    params: z.object({
      subscription,
      id: z.number(),
      at: z.string(),
      event,
      missed: z.boolean().describe('Some before it are no longer stored'),
    }),
  },
  'call.progress': {
    summary: 'How far a call is.',
    params: z.object({ id: z.union([z.string(), z.number()]).describe('Of the request'), event }),
  },
} as const
