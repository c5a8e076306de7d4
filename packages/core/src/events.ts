import type { EnvironmentStatus, ProgressUpdate } from './provider.ts'

/** Typed progress and log of an operation. `on…` taps and SDK callers get every one; the event log keeps the ones marked stored. */
export type HolmEvent =
  /** Begin of a named step of `up` (stored). */
  | { readonly type: 'step-started'; readonly environment: string; readonly step: string }
  | {
      readonly type: 'step-done'
      readonly environment: string
      readonly step: string
      readonly elapsedMs: number
      readonly skipped?: string
    }
  | {
      readonly type: 'step-failed'
      readonly environment: string
      readonly step: string
      readonly elapsedMs: number
      readonly message: string
    }
  | ({ readonly type: 'progress'; readonly environment: string; readonly step: string } & ProgressUpdate)
  /** A line a blueprint's command or the runtime printed; control characters neutralised, secrets redacted. */
  | {
      readonly type: 'output'
      readonly environment: string
      readonly step: string
      readonly stream: 'stdout' | 'stderr'
      readonly text: string
    }
  | {
      readonly type: 'warning'
      readonly environment?: string
      readonly message: string
      readonly hint?: string
      readonly plugin?: string
    }
  /** What a provider or plugin logs, at `log.level` and above; a warning is an event of its own. */
  | {
      readonly type: 'log'
      readonly level: 'debug' | 'info'
      readonly message: string
      readonly environment?: string
      readonly plugin?: string
    }
  /** A program inside asked for something of this machine's that its environment may be given (stored). No secret is in it. */
  | {
      readonly type: 'access'
      readonly environment: string
      readonly outcome: 'given' | 'refused' | 'missing'
      readonly message: string
    }
  /** The environment changed its state (stored). */
  | {
      readonly type: 'state'
      readonly environment: string
      readonly status: EnvironmentStatus
      readonly message?: string
    }

export interface StoredEvent {
  readonly id: number
  /** ISO 8601. */
  readonly at: string
  readonly event: HolmEvent
}
