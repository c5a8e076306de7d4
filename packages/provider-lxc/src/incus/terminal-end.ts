import { randomBytes } from 'node:crypto'

/**
 * The daemon stops to read a terminal when its program has ended, and throws away what it has not read by then. So the program gets a
 * parent that outlives it: that writes a mark behind everything else, and stands still until the client has seen it and ends it.
 */
export interface TerminalEnd {
  /** Digits alone: no setting of a terminal changes them. */
  readonly token: string
}

export function createTerminalEnd(): TerminalEnd {
  return { token: randomBytes(7).readUIntBE(0, 6).toString() }
}

/**
 * Words: the token, then a script and its own words. What a terminal's keys send reaches the whole group, this shell included; it does
 * not say how its child was ended, which needs the brackets.
 */
export const terminalScript =
  `trap : INT QUIT PIPE ALRM TERM USR1 USR2; holm_token=$1; shift; exec 3>&2 2>/dev/null; ` +
  `(exec /bin/sh -c "$@" 2>&3 3>&-); holm_code=$?; ` +
  String.raw`printf '\033]7777;%s;%s\007' "$holm_token" "$holm_code" && kill -STOP $$; exit "$holm_code"`

export interface EndFilter {
  /** What is the program's of the next bytes. */
  take(data: Buffer): Buffer
  /** What was held back because it might have become a mark. */
  rest(): Buffer
}

/** Takes marks out of what a terminal says; `onEnd` is told the code of each. */
export function createEndFilter({ token }: TerminalEnd, onEnd: (code: number) => void): EndFilter {
  const lead = Buffer.from(`\u001B]7777;${token};`)
  let held: Buffer = Buffer.alloc(0)
  return {
    take: (data) => {
      const parts: Buffer[] = []
      held = Buffer.concat([held, data])
      for (;;) {
        const start = findLead(held, lead)
        parts.push(held.subarray(0, start))
        held = held.subarray(start)
        const mark = /^\d{1,3}\u0007/.exec(
          held.subarray(lead.length, lead.length + 4).toString('latin1'),
        )?.[0]
        if (mark === undefined) {
          const broken = held.length >= lead.length + 4
          if (broken) parts.push(held.subarray(0, 1))
          if (broken) held = held.subarray(1)
          if (!broken) return Buffer.concat(parts)
          continue
        }
        held = held.subarray(lead.length + mark.length)
        onEnd(Number.parseInt(mark, 10))
      }
    },
    rest: () => {
      const last = held
      held = Buffer.alloc(0)
      return last
    },
  }
}

/** Where a mark begins, or may begin when more comes; the end, when nowhere. */
function findLead(data: Buffer, lead: Buffer): number {
  const found = data.indexOf(lead)
  if (found >= 0) return found
  for (let length = Math.min(lead.length - 1, data.length); length > 0; length -= 1)
    if (data.subarray(data.length - length).equals(lead.subarray(0, length))) return data.length - length
  return data.length
}
