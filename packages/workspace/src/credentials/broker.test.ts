import { mkdtempSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { createRunner } from '@holm/core/host'
import { createGit, type Git } from '../git.ts'
import {
  createBroker,
  fillFrom,
  parseCredential,
  type Access,
  type Broker,
  type BrokerOptions,
} from './broker.ts'
import { parseScope, type CredentialScope } from './scope.ts'

function scope(url: string): CredentialScope {
  const found = parseScope(url, { named: true })
  if (!found) throw new Error(`${url} is none`)
  return found
}

const secret = 's3cr\\et $x"y'
const ours = scope('https://example.org/acme/app.git')
const asked = ['protocol=https', 'host=example.org', 'path=acme/app.git']

function begin(options: Partial<BrokerOptions> = {}): { broker: Broker; notes: Access[] } {
  const notes: Access[] = []
  const broker = createBroker({
    scopes: [ours],
    fill: async () => ({ username: 'ada', password: secret, expires: undefined }),
    note: (access) => notes.push(access),
    ...options,
  })
  return { broker, notes }
}

it('answers for a remote, and tells so without the secret', async () => {
  const { broker, notes } = begin()
  expect(await broker(asked)).toEqual(['username=ada', `password=${secret}`])
  expect(notes).toEqual([
    { outcome: 'given', message: 'git credentials given for https://example.org/acme/app.git' },
  ])
})

it('asks for the remote as it was written down, whatever the question says', async () => {
  const filled: CredentialScope[] = []
  const { broker } = begin({ fill: async (each) => void filled.push(each) })
  await broker(['protocol=https', 'host=EXAMPLE.org:443', 'path=acme/app/../../x', 'username=eve'])
  expect(filled).toEqual([ours])
})

it.each([
  {
    fields: ['protocol=https', 'host=evil.example', 'path=acme/app.git'],
    says: 'https://evil.example/acme/app.git',
  },
  { fields: [...asked, 'username=bob'], says: 'another user' },
  { fields: [...asked, 'password=guess'], says: 'none of git' },
  { fields: ['protocol=https', 'host=\u001b[31mexample.org'], says: 'none of git' },
])('refuses $fields, and tells so', async ({ fields, says }) => {
  const { broker, notes } = begin()
  const answer = await broker(fields)
  expect(answer).toEqual([expect.stringMatching(/^! git credentials refused/)])
  expect(answer?.[0]).toContain(says)
  expect(notes).toMatchObject([{ outcome: 'refused', message: expect.stringContaining(says) }])
})

it('says where there are none', async () => {
  const { broker, notes } = begin({ fill: async () => undefined })
  expect(await broker(asked)).toEqual([
    expect.stringContaining("this machine's git has none for https://example.org"),
  ])
  expect(notes).toMatchObject([{ outcome: 'missing' }])
})

it('answers only so many questions in a minute, and stops to listen to a flood', async () => {
  let time = 0
  const { broker, notes } = begin({ now: () => time })
  const ask = async (times: number): Promise<(string | undefined)[]> => {
    const answers = []
    for (let left = times; left > 0; left -= 1) answers.push((await broker(asked))?.[0])
    return answers
  }
  expect(new Set(await ask(60))).toEqual(new Set(['username=ada']))
  expect(new Set(await ask(5))).toEqual(new Set([expect.stringContaining('more than 60 questions')]))
  expect(notes.filter(({ outcome }) => outcome === 'refused')).toHaveLength(1)
  time = 61_000
  expect(new Set(await ask(60))).toEqual(new Set(['username=ada']))
  await ask(540)
  expect(await broker(asked)).toBeUndefined()
})

it.each([
  [
    'protocol=https\nhost=h\nusername=ada\npassword=p=q\noauth_refresh_token=r\n',
    { username: 'ada', password: 'p=q' },
  ],
  [
    'username=ada\npassword=\npassword_expiry_utc=1700000000\n',
    { username: 'ada', password: '', expires: '1700000000' },
  ],
  ['username=ada\npassword=x\npassword_expiry_utc=soon\n', { username: 'ada', password: 'x' }],
  ['username=ada\n', undefined],
  ['username=ada\npassword=a\rb\n', undefined],
  [`username=ada\npassword=${'x'.repeat(5000)}\n`, undefined],
])('takes from %j only what may be passed on', (output, expected) => {
  expect(parseCredential(output)).toEqual(expected && { expires: undefined, ...expected })
})

function realGit(config: string): { git: Git; folder: string } {
  const folder = mkdtempSync(join(tmpdir(), "holm it's cred "))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'gitconfig')
  writeFileSync(path, config.replaceAll('FOLDER', folder.replaceAll("'", "'\\\\''")))
  const env = {
    PATH: process.env['PATH'],
    HOME: folder,
    GIT_CONFIG_GLOBAL: path,
    GIT_CONFIG_SYSTEM: '/dev/null',
  }
  const asking = { SSH_ASKPASS: join(folder, 'ask'), GIT_ASKPASS: join(folder, 'ask'), DISPLAY: ':9' }
  writeFileSync(join(folder, 'ask'), `#!/bin/sh\ntouch "${join(folder, 'mark')}"\necho typed\n`, {
    mode: 0o755,
  })
  return { git: createGit(createRunner({ env: {} }), { ...env, ...asking }), folder }
}

it("asks this machine's git", async () => {
  const { git, folder } = realGit('[credential]\n\thelper = "store --file \'FOLDER/kept\'"\n')
  writeFileSync(join(folder, 'kept'), `https://ada:${encodeURIComponent(secret)}@example.org\n`)
  await expect(fillFrom(git, ours)).resolves.toMatchObject({ username: 'ada', password: secret })
  await expect(fillFrom(git, scope('https://bob@example.org/acme'))).resolves.toBeUndefined()
  await expect(fillFrom(git, scope('https://example.net/acme'))).resolves.toBeUndefined()
  expect(existsSync(join(folder, 'mark'))).toBe(false)
})

it('has nobody asked for a password: no program, no terminal', async () => {
  const { git, folder } = realGit('[core]\n\taskPass = "FOLDER/ask"\n')
  await expect(fillFrom(git, ours)).resolves.toBeUndefined()
  expect(existsSync(join(folder, 'mark'))).toBe(false)
})
