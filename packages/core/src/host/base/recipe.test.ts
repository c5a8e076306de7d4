import { describe, expect, it } from 'vitest'
import { debootstrapArgv, mmdebstrapArgv, parseAptSources, resolveSources } from './recipe.ts'

const bookworm = { distribution: 'debian', suite: 'bookworm', components: ['main'] } as const
const trixie = { ...bookworm, suite: 'trixie' }

const deb822 = `# comment
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://other.example/x
Suites: bookworm
`

const machine = { distribution: 'debian', codename: 'bookworm', sources: parseAptSources(deb822) }

describe('parseAptSources', () => {
  it('reads deb822 stanzas, all suites, without disabled ones', () => {
    expect(machine.sources).toEqual([
      { uri: 'http://mirror.example/debian', suite: 'bookworm' },
      { uri: 'http://mirror.example/debian', suite: 'bookworm-updates' },
      { uri: 'http://mirror.example/debian-security', suite: 'bookworm-security' },
    ])
  })

  it('reads one-line sources with options, and leaves out sources and other transports', () => {
    const text = [
      'deb [arch=amd64 signed-by=/k.gpg] https://m.example/ubuntu noble main universe',
      'deb-src https://m.example/ubuntu noble main',
      '# deb https://no.example/ubuntu noble main',
      'deb cdrom:[x]/ noble main',
    ].join('\n')
    expect(parseAptSources(text)).toEqual([{ uri: 'https://m.example/ubuntu', suite: 'noble' }])
  })
})

describe('resolveSources', () => {
  it("takes the machine's mirrors for another suite of its distribution", () => {
    expect(resolveSources(trixie, undefined, machine)).toEqual([
      'deb http://mirror.example/debian trixie main',
      'deb http://mirror.example/debian trixie-updates main',
      'deb http://mirror.example/debian-security trixie-security main',
    ])
  })

  it('takes the mirror that was asked for before anything else', () => {
    expect(resolveSources(bookworm, 'https://mine.example/debian', machine)).toEqual([
      'deb https://mine.example/debian bookworm main',
    ])
  })

  it('leaves it to the tool on a machine of another distribution, and on one without apt', () => {
    const noble = { distribution: 'ubuntu', suite: 'noble', components: ['main'] } as const
    expect(resolveSources(noble, undefined, machine)).toEqual([])
    expect(resolveSources(bookworm, undefined, undefined)).toEqual([])
    expect(resolveSources(bookworm, undefined, { ...machine, sources: [] })).toEqual([])
  })
})

describe('argument lists', () => {
  const request = {
    recipe: bookworm,
    include: ['git', 'curl'],
    sources: ['deb http://m.example/debian bookworm main'],
    output: '/c/r.tar',
  }

  it('of mmdebstrap', () => {
    expect(mmdebstrapArgv(request)).toEqual([
      'mmdebstrap',
      '--mode=auto',
      '--variant=minbase',
      '--format=tar',
      '--components=main',
      '--include=git,curl',
      'bookworm',
      '/c/r.tar',
      'deb http://m.example/debian bookworm main',
    ])
    expect(mmdebstrapArgv({ ...request, include: [], sources: [] }).slice(-3)).toEqual([
      '--components=main',
      'bookworm',
      '/c/r.tar',
    ])
  })

  it('of debootstrap, which takes one mirror', () => {
    expect(debootstrapArgv(request, '/c/root').slice(-4)).toEqual([
      '--include=git,curl',
      'bookworm',
      '/c/root',
      'http://m.example/debian',
    ])
    expect(debootstrapArgv({ ...request, sources: [] }, '/c/root').at(-1)).toBe('/c/root')
  })
})
