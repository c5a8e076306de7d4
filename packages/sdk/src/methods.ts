import type { z } from 'zod'
import { eventMethods, eventNotifications } from './methods/events.ts'
import { execMethods, execNotifications } from './methods/exec.ts'
import { fileMethods, fileNotifications } from './methods/files.ts'
import { manageMethods } from './methods/manage.ts'
import { sessionMethods, sessionNotifications } from './methods/session.ts'

export { maximumTimeoutMs } from './shapes.ts'

/**
 * The one table of the remote-control API. The client's types, the checks of the server and the reference page come from
 * it. Params are objects; an unknown key is refused. What is marked `notification` has no answer.
 */
export const methods = {
  ...sessionMethods,
  ...fileMethods,
  ...execMethods,
  ...manageMethods,
  ...eventMethods,
} as const

/** What the server sends of its own accord. */
export const notifications = {
  ...execNotifications,
  ...fileNotifications,
  ...eventNotifications,
  ...sessionNotifications,
} as const

export type MethodName = keyof typeof methods
export type MethodParams<Name extends MethodName> = z.infer<(typeof methods)[Name]['params']>
export type MethodResult<Name extends MethodName> = z.infer<(typeof methods)[Name]['result']>
export type NotificationName = keyof typeof notifications
export type NotificationParams<Name extends NotificationName> = z.infer<
  (typeof notifications)[Name]['params']
>
