import { HolmError } from '@holm/core'
import {
  rpcErrors,
  type MethodName,
  type MethodParams,
  type MethodResult,
  type RpcError,
  type RpcId,
} from '@holm/sdk'
import { methods } from '@holm/sdk/methods'
import { handlers } from './handlers/index.ts'
import { toRpcError } from './rpc-errors.ts'
import type { Backend, Call, Session } from './session.ts'

export type Handlers = {
  readonly [Name in Exclude<MethodName, 'session.cancel' | 'session.authenticate'>]: (
    params: MethodParams<Name>,
    call: Call,
  ) => MethodResult<Name> | Promise<MethodResult<Name>>
}

interface Request {
  readonly id: RpcId | undefined
  readonly method: string
  readonly params: unknown
}

export interface Dispatcher {
  /** Takes one message as it came. Never throws; the answer is sent when there is one. */
  receive(text: string): void
}

export interface DispatchOptions {
  readonly session: Session
  readonly backend: Backend
  send(message: object): void
  /** Undefined where the token was shown already. Whether it is the right one. */
  readonly authenticate?: ((token: string) => boolean) | undefined
  /** Ends a connection that may not be. */
  refuse(reason: string): void
}

/** JSON-RPC 2.0 over one connection. Calls run side by side; batches are not taken. */
export function createDispatcher(options: DispatchOptions): Dispatcher {
  const { session, send } = options
  const running = new Map<RpcId, AbortController>()
  let admitted = options.authenticate === undefined
  const answer = (id: RpcId | undefined, error: RpcError): void => send({ id: id ?? null, error })

  const enter = (request: Request): void => {
    const parsed = methods['session.authenticate'].params.safeParse(request.params)
    const isFirst = request.method === 'session.authenticate' && request.id !== undefined && parsed.success
    if (isFirst && options.authenticate?.(parsed.data.token) === true) {
      admitted = true
      return send({ id: request.id, result: { protocol: 1 } })
    }
    answer(request.id, isFirst ? badToken : notAdmitted)
    options.refuse(isFirst ? badToken.message : notAdmitted.message)
  }
  const begin = (request: Request): void => {
    const { id, method } = request
    if (method === 'session.cancel') return cancel(request, running)
    if (method === 'session.authenticate')
      return void (id !== undefined && send({ id, result: { protocol: 1 } }))
    if (id !== undefined && running.has(id))
      return answer(id, {
        ...rpcError('invalidRequest'),
        message: `a call with the id ${String(id)} is running`,
      })
    if (running.size >= session.limits.callsAtOnce)
      return answer(id, {
        ...rpcError('limit'),
        message: `${running.size} calls are running on this connection`,
      })
    const controller = new AbortController()
    const key = id ?? session.newId()
    running.set(key, controller)
    void run(request, { ...options, signal: AbortSignal.any([controller.signal, session.signal]) }).finally(
      () => running.delete(key),
    )
  }
  return {
    receive(text) {
      const request = parse(text)
      if ('error' in request) {
        answer(request.id, request.error)
        return admitted ? undefined : options.refuse(request.error.message)
      }
      if (admitted) begin(request)
      else enter(request)
    },
  }
}

function rpcError(name: keyof typeof rpcErrors): RpcError {
  return { code: rpcErrors[name].code, message: rpcErrors[name].meaning }
}

const badToken: RpcError = {
  ...rpcError('badToken'),
  data: { code: 'HOLM_TOKEN_INVALID', hint: 'Read it again: holm serve tells where it is.' },
}
const notAdmitted: RpcError = {
  ...rpcError('unauthorized'),
  data: { code: 'HOLM_TOKEN_INVALID', hint: 'Send session.authenticate with the token first.' },
}

function parse(text: string): Request | { readonly id: RpcId | undefined; readonly error: RpcError } {
  let message: unknown
  try {
    message = JSON.parse(text)
  } catch {
    return { id: undefined, error: rpcError('parse') }
  }
  const { jsonrpc, id, method, params } = (message ?? {}) as Record<string, unknown>
  const known = typeof id === 'string' || typeof id === 'number' ? id : undefined
  const sound = jsonrpc === '2.0' && typeof method === 'string' && (id === undefined || known !== undefined)
  return sound
    ? { id: known, method, params: params ?? {} }
    : { id: known, error: rpcError('invalidRequest') }
}

function cancel({ params }: Request, running: ReadonlyMap<RpcId, AbortController>): void {
  const parsed = methods['session.cancel'].params.safeParse(params)
  if (parsed.success)
    running.get(parsed.data.id)?.abort(new HolmError('HOLM_INTERRUPTED', 'the call was cancelled'))
}

type RunOptions = DispatchOptions & { readonly signal: AbortSignal }

/** Counts as running until its answer has left: who does not read cannot ask for more. */
async function run({ id, method, params }: Request, options: RunOptions): Promise<void> {
  const { session, backend, signal, send } = options
  const later: (() => void)[] = []
  const call: Call = { id, session, backend, signal, afterwards: (work) => void later.push(work) }
  const answer = await perform({ method, params }, call)
  if (id !== undefined) send({ id, ...fitting(answer, session) })
  for (const work of later) work()
  await session.calm()
}

type Answer = { readonly result: unknown } | { readonly error: RpcError }

async function perform({ method, params }: Pick<Request, 'method' | 'params'>, call: Call): Promise<Answer> {
  if (!Object.hasOwn(handlers, method))
    return {
      error: {
        ...rpcError('methodNotFound'),
        message: `there is no method ${JSON.stringify(method.slice(0, 100))}`,
      },
    }
  const name = method as keyof Handlers
  const parsed = methods[name].params.safeParse(params)
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }))
    const words = issues.map((issue) =>
      issue.path === '' ? issue.message : `${issue.path}: ${issue.message}`,
    )
    const message = `the params of ${name} are wrong: ${words.join('; ')}`
    return { error: { ...rpcError('invalidParams'), message, data: { code: 'HOLM_USAGE', issues } } }
  }
  try {
    return { result: (await handlers[name](parsed.data as never, call)) ?? null }
  } catch (error) {
    return { error: toRpcError(error) }
  }
}

/** An answer that is too long for a message would only end the connection. */
function fitting(answer: Answer, { limits }: Session): Answer {
  if (!('result' in answer) || JSON.stringify(answer.result).length <= limits.messageBytes) return answer
  const message = `the answer is longer than ${limits.messageBytes} bytes`
  return {
    error: {
      ...rpcError('limit'),
      message,
      data: { code: 'HOLM_LIMIT_REACHED', hint: 'Ask for less at once.' },
    },
  }
}
