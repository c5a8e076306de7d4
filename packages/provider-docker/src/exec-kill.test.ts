import { describe, expect, it } from 'vitest'
import { parseInnerPid } from './exec-kill.ts'

describe('parseInnerPid', () => {
  it('takes the innermost id, and none without a namespace of its own', () => {
    expect(parseInnerPid('Name:\tsleep\nNSpid:\t4711\t12\nNSpgid:\t4711\t12\n')).toBe('12')
    expect(parseInnerPid('NSpid:\t1\t2\t3\n')).toBe('3')
    expect(parseInnerPid('NSpid:\t4711\n')).toBeUndefined()
    expect(parseInnerPid('Name:\tsleep\n')).toBeUndefined()
  })
})
