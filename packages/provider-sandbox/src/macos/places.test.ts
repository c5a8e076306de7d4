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
  place('/inside', '/Users/ann/project'),
  place('/inside/cache', '/d/volumes/0'),
]

describe('resolvePlace', () => {
  it.each([
    ['/inside', '/Users/ann/project'],
    ['/inside/a b/c', '/Users/ann/project/a b/c'],
    ['/inside/cache/x', '/d/volumes/0/x'],
    ['/inside/..cache', '/Users/ann/project/..cache'],
    ['/worker', '/worker'],
    ['/inside/../etc', '/inside/../etc'],
    ['/', '/'],
  ])('%s is %s', (target, path) => expect(resolvePlace(places, target)).toBe(path))
})
