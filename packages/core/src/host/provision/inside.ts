/** The abstract inside of an environment: `up` supplies it through `provider.exec`, tests through a script. */
export interface InsideRequest {
  readonly argv: readonly string[]
  /** Absent: the environment's own default. */
  readonly user?: string
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Given on stdin; absent: stdin is closed. */
  readonly input?: string | Uint8Array
  readonly signal?: AbortSignal
}

export interface InsideResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export type OnOutput = (stream: 'stdout' | 'stderr', text: string) => void

export interface Inside {
  /** Runs to the end. A non-zero code is a result; aborting kills the program and throws HOLM_INTERRUPTED. */
  run(request: InsideRequest, onOutput?: OnOutput): Promise<InsideResult>
}

/** Where provisioning tells what it does. Steps do not nest. */
export interface Reporter {
  step<T>(name: string, work: () => Promise<T>): Promise<T>
  skip(name: string, why: string): void
  /** Whole lines, without their line feed. */
  output(stream: 'stdout' | 'stderr', text: string): void
  warn(message: string, hint?: string): void
}
