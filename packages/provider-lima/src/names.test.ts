import { describe, expect, it } from 'vitest'
import { instanceName, snapshotTag } from './names.ts'

const scope = { namespace: 'holm', home: '/Users/someone/.lima', platform: 'darwin' } as const

describe('instanceName', () => {
  it('is plain where Lima takes it', () => {
    expect(instanceName(scope, 'web-1')).toBe('holm-holm-web-1')
  })

  it('is a hash where Lima does not take it, or its sockets would not fit', () => {
    expect(instanceName(scope, 'a-1--b')).toMatch(/^holm-[0-9a-f]{12}$/)
    const long = { ...scope, home: `/Users/${'x'.repeat(40)}` }
    expect(instanceName(long, 'n'.repeat(20))).toMatch(/^holm-[0-9a-f]{12}$/)
    expect(instanceName({ ...long, platform: 'linux' }, 'n')).toBe('holm-holm-n')
  })

  it('keeps namespaces apart', () => {
    const names = [instanceName(scope, 'a--b'), instanceName({ ...scope, namespace: 'other' }, 'a--b')]
    expect(new Set(names).size).toBe(2)
  })

  it('refuses a folder that is too long for any socket', () => {
    const home = `/Users/${'x'.repeat(90)}`
    expect(() => instanceName({ ...scope, home }, 'web')).toThrow(/too long for its sockets/)
  })
})

describe('snapshotTag', () => {
  it('is one word, never a number, and differs for different names', () => {
    expect(snapshotTag('before-upgrade')).toBe('holm-before-upgrade')
    expect(snapshotTag('1')).toMatch(/^holm-x-[0-9a-f]{16}$/)
    expect(snapshotTag('two words')).not.toBe(snapshotTag('two  words'))
  })
})
