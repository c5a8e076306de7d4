import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const fromOf = /^(?:import|export)\s(?!type\b)[^;]*?from\s+'([^']+)'/gm

/** Everything that a module loads, and what that loads. */
function closure(file: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(file)) return seen
  seen.add(file)
  const text = readFileSync(join(import.meta.dirname, file), 'utf8')
  for (const [, specifier = ''] of text.matchAll(fromOf))
    if (specifier.startsWith('./')) closure(specifier.slice(2), seen)
    else seen.add(specifier)
  return seen
}

it('loads nothing of Node\u2019s and no library in a browser', () => {
  const loaded = [...closure('index.ts')]
  expect(loaded).toContain('client.ts')
  expect(loaded.filter((name) => !name.endsWith('.ts'))).toEqual([])
  expect(loaded).not.toContain('methods.ts')
})

it('would notice', () => {
  expect([...closure('node.ts')]).toContain('node:net')
  expect([...closure('methods.ts')].length).toBeGreaterThan(3)
})
