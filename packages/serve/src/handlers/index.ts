import type { Handlers } from '../dispatch.ts'
import { execHandlers } from './exec.ts'
import { fileHandlers } from './files.ts'
import { gitHandlers } from './git.ts'
import { manageHandlers } from './manage.ts'
import { sessionHandlers } from './session.ts'

export const handlers: Handlers = {
  ...sessionHandlers,
  ...fileHandlers,
  ...execHandlers,
  ...manageHandlers,
  ...gitHandlers,
}
