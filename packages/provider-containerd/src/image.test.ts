import { describe, expect, it } from 'vitest'
import { parsePacking } from './import-rootfs.ts'
import { chainIds, chooseManifest, manifestLabels, parseManifest } from './manifest.ts'
import { fullReference, parseReference } from './reference.ts'
import { parseChallenge, parseCredentials, schemeOf } from './registry.ts'

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`
const part = (letter: string): { mediaType: string; digest: string; size: number } => ({
  mediaType: 'x',
  digest: digest(letter),
  size: 1,
})

describe('references', () => {
  it.each([
    ['debian', 'docker.io/library/debian:latest'],
    ['debian:12', 'docker.io/library/debian:12'],
    ['owner/tool:1', 'docker.io/owner/tool:1'],
    ['localhost:5000/a/b', 'localhost:5000/a/b:latest'],
    ['127.0.0.1:5000/a:2', '127.0.0.1:5000/a:2'],
    [`ghcr.io/o/a:1@${digest('a')}`, `ghcr.io/o/a@${digest('a')}`],
  ])('%s is %s', (reference, full) => {
    expect(fullReference({ kind: 'image', reference })).toBe(full)
  })

  it('a digest wins over the tag', () => {
    const base = { kind: 'image', reference: 'a.test/b:1', digest: digest('b') } as const
    expect(parseReference(base).version).toBe(digest('b'))
  })
})

describe('registries', () => {
  it('are asked without TLS on this machine only', () => {
    expect(
      ['localhost:5000', '127.0.0.1', '[::1]:80', 'docker.io', 'localhost.test', '127.example.org'].map(
        schemeOf,
      ),
    ).toEqual(['http', 'http', 'http', 'https', 'https', 'https'])
  })

  it('say where a token is to be had', () => {
    expect(parseChallenge('Bearer realm="https://a.test/token",service="s",scope="x:y"')).toEqual({
      scheme: 'bearer',
      parameters: { realm: 'https://a.test/token', service: 's', scope: 'x:y' },
    })
  })

  it('get the login of docker’s configuration', () => {
    const auth = Buffer.from('me:pass:word').toString('base64')
    const config = JSON.stringify({ auths: { 'a.test': { auth }, 'https://index.docker.io/v1/': { auth } } })
    expect(parseCredentials(config, 'a.test')).toBe('me:pass:word')
    expect(parseCredentials(config, 'docker.io')).toBe('me:pass:word')
    expect(parseCredentials(config, 'b.test')).toBeUndefined()
    expect(parseCredentials('no json', 'a.test')).toBeUndefined()
  })
})

describe('manifests', () => {
  const manifest = { config: part('c'), layers: [part('1'), part('2')] }

  it('are told from lists, and refused when damaged', () => {
    expect(parseManifest(manifest)).toEqual(manifest)
    expect(parseManifest({ manifests: [] })).toBeUndefined()
    expect(parseManifest({ ...manifest, layers: [{ ...part('1'), digest: '../etc' }] })).toBeUndefined()
  })

  it('are chosen by platform', () => {
    const manifests = [
      { ...part('a'), platform: { os: 'linux', architecture: 'arm64' } },
      { ...part('b'), platform: { os: 'linux', architecture: 'amd64' } },
    ]
    expect(chooseManifest({ manifests }, 'amd64')?.digest).toBe(digest('b'))
    expect(chooseManifest({ manifests }, 's390x')).toBeUndefined()
  })

  it('keep what they refer to', () => {
    expect(Object.values(manifestLabels(manifest))).toEqual([digest('c'), digest('1'), digest('2')])
  })

  it('have chain ids as the OCI image specification computes them', () => {
    const [first, second] = chainIds([digest('0'), digest('1')])
    expect(first).toBe(digest('0'))
    expect(second).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(chainIds([digest('0'), digest('2')])[1]).not.toBe(second)
  })
})

it('tells how a tarball is packed by its first bytes', () => {
  const of = (hex: string): string => parsePacking(Buffer.from(hex, 'hex'))
  expect([of('1f8b08'), of('28b52ffd00'), of('fd377a585a00'), of('425a68'), of('2e2f0000')]).toEqual([
    'gzip',
    'zstd',
    'xz',
    'bzip2',
    'none',
  ])
})
