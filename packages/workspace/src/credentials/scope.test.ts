import { expect, it } from 'vitest'
import {
  findScope,
  formatScope,
  parseRequest,
  parseScope,
  uniqueScopes,
  type CredentialScope,
} from './scope.ts'

function scopes(...urls: readonly string[]): CredentialScope[] {
  return urls.flatMap((url) => parseScope(url, { named: true }) ?? [])
}

it.each([
  ['https://example.org/acme/app.git', 'https://example.org/acme/app.git'],
  ['HTTPS://Example.org:443/acme/app.git/', 'https://example.org/acme/app.git'],
  ['https://ada@example.org:8443/a%20b', 'https://ada@example.org:8443/a b'],
  ['https://ada:secret@example.org/', 'https://example.org'],
  ['http://127.0.0.1:8080/app', 'http://127.0.0.1:8080/app'],
  ['http://localhost/app', 'http://localhost/app'],
  ['http://[::1]:8080/app', 'http://[::1]:8080/app'],
])('knows where %s is', (url, shown) => {
  const scope = parseScope(url, { named: false })
  expect(scope && formatScope(scope)).toBe(shown)
})

it.each([
  'http://example.org/app',
  'http://127.0.0.1.example.org/app',
  'git@example.org:acme/app.git',
  'ssh://git@example.org/app',
  '/srv/git/app.git',
  'ext::sh -c id',
  'https://',
  'https:///app',
  'https://example.org/a%0ahost=evil.example',
  'https://example.org%0ahost=evil.example/app',
  'https://a%0d%0aprotocol=https@example.org/app',
  'https://example.org/a%00b',
  'https://example.org/a\nhost=evil.example',
  'https://example.org/%zz',
])('takes %j for no place of credentials', (url) => {
  expect(parseScope(url, { named: false })).toBeUndefined()
})

it('takes http where the user named it', () => {
  expect(scopes('http://git.lan/team').map(formatScope)).toEqual(['http://git.lan/team'])
})

it('keeps each place once', () => {
  expect(
    uniqueScopes(scopes('https://a.org/x', 'https://a.org/x/', 'https://b.org')).map(formatScope),
  ).toEqual(['https://a.org/x', 'https://b.org'])
})

const remote = 'https://example.org/acme/app.git'

it.each([
  { host: 'example.org', path: 'acme/app.git' },
  { host: 'EXAMPLE.org:443', path: 'acme/app' },
  { host: 'example.org', path: 'acme/app.git/info/lfs' },
  { host: 'example.org', path: 'acme/app/info/lfs' },
  { host: 'example.org', path: 'acme/app.git', username: 'bob' },
])('is for what is asked: %j', (asked) => {
  const request = parseRequest(
    Object.entries({ protocol: 'https', ...asked }).map(([name, value]) => `${name}=${value}`),
  )
  expect(request && findScope(scopes('https://other.org', remote), request)).toEqual(scopes(remote)[0])
})

it.each([
  { protocol: 'http', host: 'example.org', path: 'acme/app.git' },
  { protocol: 'ssh', host: 'example.org', path: 'acme/app.git' },
  { protocol: 'https', host: 'example.org:8443', path: 'acme/app.git' },
  { protocol: 'https', host: 'evil.example', path: 'acme/app.git' },
  { protocol: 'https', host: 'example.org.evil.example', path: 'acme/app.git' },
  { protocol: 'https', host: 'evil.example@example.org', path: 'acme/app.git' },
  { protocol: 'https', host: 'example.org/x?', path: 'acme/app.git' },
  { protocol: 'https', host: '', path: 'acme/app.git' },
  { protocol: 'https', host: 'example.org' },
  { protocol: 'https', host: 'example.org', path: '' },
  { protocol: 'https', host: 'example.org', path: 'acme' },
  { protocol: 'https', host: 'example.org', path: 'acme/app2.git' },
  { protocol: 'https', host: 'example.org', path: 'acme/other' },
])('is not for %j', (asked) => {
  const request = parseRequest(Object.entries(asked).map(([name, value]) => `${name}=${value}`))
  expect(request).toBeDefined()
  expect(request && findScope(scopes(remote), request)).toBeUndefined()
})

it('knows users apart', () => {
  const two = scopes('https://example.org', 'https://ada@example.org', 'https://bob@example.org')
  const of = (username?: string): string | undefined => {
    const found = findScope(two, { protocol: 'https', host: 'example.org', path: '', username })
    return found && formatScope(found)
  }
  expect([of('bob'), of('ada'), of('eve'), of()]).toEqual([
    'https://bob@example.org',
    'https://ada@example.org',
    'https://example.org',
    'https://example.org',
  ])
  const [, ada] = two
  expect(
    ada && findScope([ada], { protocol: 'https', host: 'example.org', path: '', username: 'bob' }),
  ).toBeUndefined()
})

it.each([
  [['protocol=https']],
  [['host=example.org']],
  [[]],
  [['protocol=https', 'host=example.org', 'host=evil.example']],
  [['protocol=https', 'host=example.org', 'password=x']],
  [['protocol=https', 'host=example.org', 'url=https://evil.example']],
  [['protocol=https', 'host=example.org\nhost=evil.example']],
  [['protocol=https', 'host=example.org\r']],
  [['protocol=https', 'host=example.org', 'path=a\0b']],
  [['protocol=https', 'host=example.org', 'junk']],
])('takes %j for no question of git', (fields) => {
  expect(parseRequest(fields)).toBeUndefined()
})
