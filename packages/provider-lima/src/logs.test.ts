import { describe, expect, it } from 'vitest'
import { lastLines } from './logs.ts'

const last = (text: string, count?: number): string => lastLines(Buffer.from(text), count).toString()

describe('lastLines', () => {
  it('counts whole lines, also a last one without an end', () => {
    expect(last('a\nb\nc\n', 2)).toBe('b\nc\n')
    expect(last('a\nb\nc', 2)).toBe('b\nc')
    expect(last('a\nb\n', 5)).toBe('a\nb\n')
    expect(last('a\n', 1)).toBe('a\n')
    expect(last('\n\n', 1)).toBe('\n')
  })

  it('gives all, or nothing', () => {
    expect(last('a\nb\n')).toBe('a\nb\n')
    expect(last('a\nb\n', 0)).toBe('')
    expect(last('', 3)).toBe('')
  })
})
