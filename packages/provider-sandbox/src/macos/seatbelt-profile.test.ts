import { describe, expect, it } from 'vitest'
import { quoteScheme, seatbeltProfile } from './seatbelt-profile.ts'

const places = [
  { path: '/Users/ann/Library/holm/e/home', readonly: false },
  { path: '/Users/ann/it\'s "my" project', readonly: false },
  { path: '/Users/ann/notes', readonly: true },
]
const profile = seatbeltProfile({ places, network: false })
const rulesOf = (head: string): string[] =>
  profile.split(/^(?=\()/m).filter((rule) => rule.startsWith(`(${head}\n`))
const lastRule = (text: string): number => profile.lastIndexOf(text)

describe('seatbeltProfile', () => {
  it('denies what no rule allows', () => expect(profile).toMatch(/^\(version 1\)\n\(deny default\)\n/))
  it('has as many brackets that open as that close, strings aside', () => {
    const bare = profile.replaceAll(/"(?:\\.|[^"\\])*"/g, '')
    expect(bare.split('(').length).toBe(bare.split(')').length)
  })
  it('reads nothing below /Users but the places', () => {
    const users = rulesOf('allow file-read*').join('') + rulesOf('allow file-read* file-write*').join('')
    expect(users.match(/\/Users[^)]*/g)).toEqual([
      '/Users/ann/Library/holm/e/home"',
      String.raw`/Users/ann/it's \"my\" project"`,
      '/Users/ann/notes"',
    ])
    expect(users).not.toMatch(/\(subpath "\/(?:Users|private|var|tmp)?"\)/)
  })
  it('lets folders above a place be looked at only', () => {
    expect(rulesOf('allow file-read-metadata')[0]).toContain('(literal "/Users/ann")')
    expect(profile).not.toContain('(subpath "/Users/ann")')
  })
  it('says no after it has said yes: the last rule decides', () => {
    expect(lastRule('(deny file-read*')).toBeGreaterThan(lastRule('(subpath "/private/etc")'))
    expect(lastRule('(deny file-write*\n  (subpath "/Users/ann/notes"))')).toBeGreaterThan(
      lastRule('(allow file-read* file-write*'),
    )
  })
  it('gives the network only when asked', () => {
    expect(profile).not.toContain('network')
    expect(seatbeltProfile({ places, network: true })).toContain('\n(allow network*)\n')
  })
  it('reaches no service that is not named', () => expect(profile).not.toContain('(allow mach-lookup)'))
})

it('quotes what a string of Scheme ends with', () =>
  expect(quoteScheme(String.raw`a"b\c`)).toBe(String.raw`"a\"b\\c"`))
