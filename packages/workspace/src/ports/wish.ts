import { HolmError } from '@holm/core'

/** A port inside that somebody wants here. */
export interface PortWish {
  readonly inside: number
  /** Port of this machine; absent: a free one. */
  readonly here?: number
}

/** `3000`, or `8080:3000` for port 8080 of this machine. HOLM_USAGE names what is none. */
export function parseWish(text: string): PortWish {
  const [, here, inside] = /^(?:(\d{1,5}):)?(\d{1,5})$/.exec(text) ?? []
  const wish = { inside: Number(inside), ...(here !== undefined && { here: Number(here) }) }
  if (isPort(wish.inside) && (wish.here === undefined || isPort(wish.here))) return wish
  throw new HolmError('HOLM_USAGE', `${JSON.stringify(text)} is no port`, {
    hint: 'Write 3000, or 8080:3000 for port 8080 of this machine.',
    details: { port: text },
  })
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535
}

/** The wishes of a command line; one that is there twice is HOLM_USAGE. */
export function parseWishes(words: readonly string[]): PortWish[] {
  const wishes = words.map(parseWish)
  const twice = wishes.find(({ inside }, index) => wishes.findIndex((each) => each.inside === inside) < index)
  if (twice === undefined) return wishes
  throw new HolmError('HOLM_USAGE', `port ${twice.inside} is asked for twice`, {
    hint: 'Name each port inside once.',
    details: { port: twice.inside },
  })
}
