// Texts of Lima's configuration.
import { parse } from 'yaml'

export const parseConfig = (text) => parse(text) ?? {}

/** go-units' RAMInBytes; undefined for what it refuses. */
export function parseSize(text) {
  const [, number, unit] = /^(\d+(?:\.\d+)*) ?([kKmMgGtTpP])?[iI]?[bB]?$/.exec(String(text)) ?? []
  if (number === undefined) return undefined
  const power = unit ? 'kmgtp'.indexOf(unit.toLowerCase()) + 1 : 0
  return Math.floor(Number(number) * 1024 ** power)
}
