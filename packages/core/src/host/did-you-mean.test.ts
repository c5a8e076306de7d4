import { describe, expect, it } from 'vitest'
import { didYouMean, editDistance, nearNames, suggestHint } from './did-you-mean.ts'

describe('editDistance', () => {
  it.each([
    ['', '', 0],
    ['a', '', 1],
    ['kitten', 'sitting', 3],
    ['prots', 'ports', 1],
    ['packages', 'packages', 0],
  ])('%s to %s is %i', (left, right, distance) => {
    expect(editDistance(left, right)).toBe(distance)
    expect(editDistance(right, left)).toBe(distance)
  })
})

describe('nearNames', () => {
  it('ignores case and separators', () => {
    expect(nearNames('bindMounts', ['volumes', 'bind_mounts'])).toEqual(['bind_mounts'])
  })

  it('puts the nearest first and drops the far ones', () => {
    expect(nearNames('node-dve', ['node-dev', 'go-dev', 'mysql'])).toEqual(['node-dev'])
  })

  it('offers nothing for a word that resembles nothing', () => {
    expect(didYouMean('zebra', ['ports', 'packages'])).toBe('')
    expect(didYouMean('x'.repeat(500), ['x'.repeat(500)])).toBe('')
  })

  it('says the nearest in a sentence', () => {
    expect(didYouMean('packagse', ['ports', 'packages'])).toBe(', did you mean "packages"?')
  })
})

describe('suggestHint', () => {
  it.each([
    ['provder', 'provider'],
    ['Provider', 'provider'],
    ['prvoider', 'provider'],
    ['prov', 'provider'],
    ['dokcer', 'docker'],
    ['lxd', 'lxc'],
    ['qemu', undefined],
    ['a', undefined],
    ['', undefined],
  ])('%s means %s', (word, meant) => {
    const known = ['namespace', 'provider', 'docker', 'lxc', 'ab']
    expect(suggestHint(word, known, 'else')).toBe(meant === undefined ? 'else' : `Did you mean ${meant}?`)
  })
})
