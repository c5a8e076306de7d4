import { isHolmError } from '@holm/core'
import { inspect } from 'node:util'
import type { Style } from './style.ts'

export interface ErrorView {
  readonly style: Style
  readonly verbose: boolean
  readonly sanitize: (text: string) => string
}

/** `error HOLM_X: message`, `hint: …`, and with -v the plugin, the causes and the stack of a bug. */
export function formatError(error: unknown, { style, verbose, sanitize }: ErrorView): string {
  const { code, message, hint, plugin } = describeError(error)
  const lines = [`${style.bad('error')} ${style.strong(code)}: ${sanitize(message)}`]
  if (hint !== undefined) lines.push(`${style.accent('hint')}: ${sanitize(hint)}`)
  if (verbose && plugin !== undefined) lines.push(`plugin: ${sanitize(plugin)}`)
  if (verbose) lines.push(...listCauses(error).map((cause) => style.faint(`cause: ${sanitize(cause)}`)))
  if (verbose && code === 'HOLM_BUG' && error instanceof Error) {
    lines.push(style.faint(sanitize(error.stack ?? '')))
  }
  return lines.join('\n')
}

export interface ErrorDocument {
  readonly error: {
    readonly code: string
    readonly message: string
    readonly hint: string | null
    readonly details: unknown
    readonly plugin: string | null
  }
}

/** The JSON document of a failure; strings anywhere in it are sanitised. */
export function createErrorDocument(error: unknown, sanitize: (text: string) => string): ErrorDocument {
  const { code, message, hint, details, plugin } = describeError(error)
  const document = {
    error: { code, message, hint: hint ?? null, details: details ?? null, plugin: plugin ?? null },
  }
  const clean = (_key: string, value: unknown): unknown =>
    typeof value === 'string' ? sanitize(value) : value
  return JSON.parse(JSON.stringify(document, clean)) as ErrorDocument
}

interface ErrorParts {
  readonly code: string
  readonly message: string
  readonly hint: string | undefined
  readonly details?: unknown
  readonly plugin: string | undefined
}

function describeError(error: unknown): ErrorParts {
  if (isHolmError(error)) return error
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return {
    code: 'HOLM_BUG',
    message,
    hint: 'Run it again with -v and report the output: this is a bug in holm.',
    plugin: undefined,
  }
}

function listCauses(error: unknown): string[] {
  const causes: string[] = []
  let cause = error instanceof Error ? error.cause : undefined
  while (cause !== undefined && causes.length < 8) {
    causes.push(cause instanceof Error ? `${cause.name}: ${cause.message}` : inspect(cause))
    cause = cause instanceof Error ? cause.cause : undefined
  }
  return causes
}
