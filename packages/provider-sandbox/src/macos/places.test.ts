import { describe, expect, it } from 'vitest'
import { resolvePlace, type Place } from './places.ts'

const place = (target: string, path: string): Place => ({
  target,
  path,
  readonly: false,
  own: true,
  fleeting: false,
})
const places = [
  place('/tmp', '/d/tmp'),
  place('/work', '/Users/ann/project'),
  place('/work/cache', '/d/volumes/0'),
]

describe('resolvePlace', () => {
  it.each([
    ['/work', '/Users/ann/project'],
    ['/work/a b/c', '/Users/ann/project/a b/c'],
    ['/work/cache/x', '/d/volumes/0/x'],
    ['/work/..cache', '/Users/ann/project/..cache'],
    ['/worker', '/worker'],
    ['/work/../etc', '/work/../etc'],
    ['/', '/'],
  ])('%s is %s', (target, path) => expect(resolvePlace(places, target)).toBe(path))
})
