import { expect, it } from 'vitest'
import { environmentOf, renderConfig, withInclude } from './config.ts'

const keys = { identity: '/home/a b/id', authorized: '', hostKey: '', knownHosts: '/home/a b/known_hosts' }

it('writes an entry for each environment, and one way in for all', () => {
  const text = renderConfig({
    hosts: [{ name: 'web', user: 'dev' }],
    keys,
    holm: ['/opt/no%de', "/it's/holm.js"],
    env: { HOLM_HOME: '/x y' },
    forwardAgent: false,
  })
  expect(text).toBe(`# Written by holm; \`holm ssh-config\` writes it again.
Host holm.web ws.web
  User dev
Host holm.* ws.*
  ProxyCommand env 'HOLM_HOME=/x y' /opt/no%%de '/it'\\''s/holm.js' ssh-proxy %n
  IdentityFile "/home/a b/id"
  IdentitiesOnly yes
  HostKeyAlias holm-environment
  UserKnownHostsFile "/home/a b/known_hosts"
  StrictHostKeyChecking yes
  CheckHostIP no
  ForwardAgent no
`)
})

it('finds the environment in the name', () => {
  expect(['ws.web', 'holm.web', 'web'].map(environmentOf)).toEqual(['web', 'web', 'web'])
})

it('adds one line to the user’s own file, once, and takes it out again without a trace', () => {
  const own = 'Host x\n  User y\n'
  const once = withInclude(own, '/data/config')
  expect(once).toBe('# holm: begin\nInclude "/data/config"\n# holm: end\n\nHost x\n  User y\n')
  expect(withInclude(once, '/data/config')).toBe(once)
  expect(withInclude(once, undefined)).toBe(own)
  expect(withInclude('', undefined)).toBe('')
})

it('lets no user of a blueprint write anything else into the configuration', () => {
  const users = ['dev:staff', 'x\nProxyCommand touch /tmp/x', '-oProxyCommand=x', 'a b', '', '1000:1000']
  const text = renderConfig({
    hosts: users.map((user, index) => ({ name: `e${index}`, user })),
    keys,
    holm: ['holm'],
    env: {},
    forwardAgent: false,
  })
  const entries = text.slice(0, text.indexOf('Host holm.*')).split('\n').slice(1)
  expect(entries.map((line) => line.trim()).filter((line) => line !== '')).toEqual([
    'Host holm.e0 ws.e0',
    'User dev',
    'Host holm.e1 ws.e1',
    'Host holm.e2 ws.e2',
    'Host holm.e3 ws.e3',
    'Host holm.e4 ws.e4',
    'Host holm.e5 ws.e5',
    'User 1000',
  ])
})
