import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { parseHost, resolveConnection } from './connection.ts'

interface Machine {
  readonly env?: Record<string, string>
  readonly files?: Record<string, string>
  readonly sockets?: readonly string[]
  readonly host?: string
  readonly platform?: NodeJS.Platform
}

function resolve({ env = {}, files = {}, sockets = [], host, platform = 'linux' }: Machine) {
  const exists = (path: string): boolean =>
    sockets.includes(path) || Object.keys(files).some((file) => file.startsWith(`${path}/`))
  return resolveConnection({ env, platform, uid: 1000, host, readText: (path) => files[path], exists })
}

const contextId = createHash('sha256').update('box').digest('hex')
const context = {
  '/h/.docker/config.json': '{"currentContext":"box"}',
  [`/h/.docker/contexts/meta/${contextId}/meta.json`]: '{"Endpoints":{"docker":{"Host":"tcp://box:2376"}}}',
  [`/h/.docker/contexts/tls/${contextId}/docker/ca.pem`]: 'CA',
}

describe('resolveConnection', () => {
  it('prefers the plugin’s host, then DOCKER_HOST, then the context', () => {
    const env = { HOME: '/h', DOCKER_HOST: 'unix:///env.sock' }
    expect(resolve({ host: '/own.sock', env, files: context })).toMatchObject({ path: '/own.sock' })
    expect(resolve({ env, files: context })).toMatchObject({ path: '/env.sock' })
    expect(resolve({ env: { HOME: '/h' }, files: context })).toMatchObject({
      kind: 'tcp',
      host: 'box',
      port: 2376,
      tls: { ca: 'CA', verify: true },
    })
  })

  it('says which context is missing', () => {
    expect(() => resolve({ env: { DOCKER_CONFIG: '/d', DOCKER_CONTEXT: 'gone' } })).toThrow(
      /context "gone" does not exist in \/d/,
    )
  })

  it('takes the first socket that is there', () => {
    const env = { HOME: '/h', XDG_RUNTIME_DIR: '/run/user/5' }
    expect(resolve({ env, sockets: ['/run/podman/podman.sock', '/run/user/5/docker.sock'] })).toMatchObject({
      path: '/run/user/5/docker.sock',
    })
    expect(resolve({ env, sockets: ['/run/podman/podman.sock'] })).toMatchObject({
      path: '/run/podman/podman.sock',
    })
    expect(resolve({ env })).toMatchObject({ path: '/var/run/docker.sock' })
    expect(resolve({ platform: 'win32' })).toMatchObject({ path: '//./pipe/docker_engine' })
  })

  it('reads certificates for DOCKER_TLS_VERIFY', () => {
    const env = { DOCKER_HOST: 'tcp://10.0.0.1:2376', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: '/c' }
    const found = resolve({ env, files: { '/c/ca.pem': 'a', '/c/cert.pem': 'b', '/c/key.pem': 'k' } })
    expect(found).toMatchObject({ tls: { ca: 'a', cert: 'b', key: 'k', verify: true } })
  })
})

describe('parseHost', () => {
  it.each([
    ['unix:///a/b.sock', { kind: 'socket', path: '/a/b.sock' }],
    ['npipe:////./pipe/x', { kind: 'socket', path: '//./pipe/x' }],
    ['tcp://host', { kind: 'tcp', host: 'host', port: 2375 }],
    ['https://host', { kind: 'tcp', host: 'host', port: 2376, tls: { verify: true } }],
    ['10.1.1.1:99', { kind: 'tcp', host: '10.1.1.1', port: 99 }],
    ['tcp://[::1]:99', { kind: 'tcp', host: '::1', port: 99 }],
  ])('reads %s', (host, expected) => {
    expect(parseHost(host)).toMatchObject(expected)
  })

  it('refuses ssh with a way out, and never prints a password', () => {
    expect(() => parseHost('ssh://me:secret@box')).toThrow(/ssh:\/\/\*\*\*@box goes through ssh/)
    expect(() => parseHost('ftp://x')).toThrow(/"ftp:\/\/x" is none/)
  })
})
