import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createSpec } from '@holm/testkit'
import { describe, expect, it } from 'vitest'
import { setStage, type Stage } from '../../../test/memory-host.ts'
import type { ArchiveManifest, HostApi } from '../../index.ts'
import { archiveEnd, padding, partHeader, readParts } from './archive.ts'
import { portableSpec } from './export.ts'
import { parseManifest, safeSpec } from './manifest.ts'

async function* inPieces(bytes: Buffer, size = 5000): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of stream) pieces.push(piece)
  return Buffer.concat(pieces)
}

async function bringUp(): Promise<{ stage: Stage; host: HostApi }> {
  const stage = await setStage()
  stage.blueprint(
    'base: host\nvolumes: [{ name: data, mount: /data }]\nsecrets: { TOKEN: { env: TOKEN, optional: true } }\n',
  )
  const host = await stage.open()
  await host.up()
  await stage.shell(host, 'web', 'echo inside > own; echo kept > data/file')
  writeFileSync(join(stage.project, 'file'), 'project')
  return { stage, host }
}

const removeAll = (host: HostApi): Promise<unknown> => host.destroy('web', { volumes: true })

describe('export and import', () => {
  for (const compression of ['none', 'gzip', 'zstd'] as const) {
    it(`carry files and volumes, without secrets and the project (${compression})`, async () => {
      const { stage, host } = await bringUp()
      let manifest: ArchiveManifest | undefined
      const archive = await collect(
        host.export('web', { compression, onManifest: (found) => (manifest = found) }),
      )
      expect(manifest?.parts.map(({ kind }) => kind)).toEqual(['rootfs', 'volume'])
      expect(JSON.stringify(manifest)).not.toMatch(/TOKEN|\/web"/)
      await removeAll(host)
      const result = await host.import(inPieces(archive), { name: 'copy' })
      expect(result).toMatchObject({ environment: { name: 'copy', status: 'running', project: '' } })
      expect(await stage.shell(host, 'copy', 'cat own data/file; ls workspace')).toBe('inside\nkept\n')
      expect(stage.methods()).not.toContain('provision')
      expect(readdirSync(join(stage.folder, 'home/data/spool'))).toEqual([])
      await host.destroy('copy')
      expect(existsSync(join(stage.folder, 'home/data/imports/holm/copy'))).toBe(false)
    })
  }

  it('carry the project when asked to, into a folder that must be empty', async () => {
    const { stage, host } = await bringUp()
    const archive = await collect(host.export('web', { withFiles: true }))
    mkdirSync(join(stage.project, 'copy'))
    writeFileSync(join(stage.project, 'copy/precious'), 'precious')
    await expect(host.import(inPieces(archive), { name: 'copy' })).rejects.toMatchObject({
      code: 'HOLM_USAGE',
    })
    expect(readFileSync(join(stage.project, 'copy/precious'), 'utf8')).toBe('precious')
    const filesFolder = join(stage.folder, 'files')
    await host.import(inPieces(archive), { name: 'copy', filesFolder })
    expect(readFileSync(join(filesFolder, 'file'), 'utf8')).toBe('project')
    await stage.shell(host, 'copy', 'echo changed > workspace/file')
    expect(readFileSync(join(filesFolder, 'file'), 'utf8')).toBe('changed\n')
    expect(readFileSync(join(stage.project, 'file'), 'utf8')).toBe('project')
    await host.destroy('copy')
    expect(existsSync(join(filesFolder, 'file'))).toBe(true)
  })

  it('a name that is taken is refused, and what fails leaves nothing', async () => {
    const { stage, host } = await bringUp()
    const archive = await collect(host.export('web'))
    await expect(host.import(inPieces(archive))).rejects.toMatchObject({ code: 'HOLM_ENVIRONMENT_CONFLICT' })
    stage.provider.faults['start'] = { code: 'HOLM_ENVIRONMENT_FAILED' }
    await expect(host.import(inPieces(archive), { name: 'copy' })).rejects.toMatchObject({
      code: 'HOLM_ENVIRONMENT_FAILED',
    })
    await expect(host.list({ all: true })).resolves.toMatchObject([{ name: 'web' }])
    expect(existsSync(join(stage.folder, 'home/data/imports/holm/copy'))).toBe(false)
  })

  it('damage of any kind is told before anything is made', async () => {
    const { stage, host } = await bringUp()
    const archive = await collect(host.export('web'))
    const attempt = async (bytes: Buffer): Promise<string> => {
      const failure = await host.import(inPieces(bytes), { name: 'copy' }).then(
        () => 'imported',
        (error: unknown) => error as { code: string; message: string },
      )
      return typeof failure === 'string' ? failure : `${failure.code} ${failure.message}`
    }
    const invalid = /^HOLM_BASE_INVALID this is no sound archive/
    for (const part of [0, 100, 512, 3000, archive.length >> 1, archive.length - 1500])
      expect(await attempt(archive.subarray(0, part)), `cut at ${part}`).toMatch(invalid)
    const changed = Buffer.from(archive)
    changed[archive.length - 3000] = (changed[archive.length - 3000] ?? 0) ^ 1
    expect(await attempt(changed)).toMatch(/SHA-256 differs|header in it is wrong/)
    expect(await attempt(Buffer.from('no archive at all, only text '.repeat(100)))).toMatch(invalid)
    const gzip = await collect(host.export('web', { compression: 'gzip' }))
    expect(await attempt(gzip.subarray(0, gzip.length - 20))).not.toBe('imported')
    await expect(host.list({ all: true })).resolves.toHaveLength(1)
    expect(readdirSync(join(stage.folder, 'home/data/spool'))).toEqual([])
  })

  it('parts that no manifest names, or that would land elsewhere, are refused', async () => {
    const { host } = await bringUp()
    const build = (parts: Readonly<Record<string, string>>): Buffer =>
      Buffer.concat([
        ...Object.entries(parts).flatMap(([path, text]) => [
          partHeader(path, Buffer.byteLength(text)),
          Buffer.from(text),
          padding(Buffer.byteLength(text)),
        ]),
        archiveEnd,
      ])
    const manifest = (change: object = {}): string =>
      JSON.stringify({
        format: 'holm-environment',
        version: 1,
        name: 'web',
        provider: 'memory',
        spec: createSpec(),
        parts: [{ path: 'rootfs.tar', kind: 'rootfs', sizeBytes: 1, sha256: 'a'.repeat(64) }],
        ...change,
      })
    const cases: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
      [{ 'rootfs.tar': 'x' }, /does not begin with a manifest/],
      [{ 'manifest.json': 'no json' }, /no JSON/],
      [{ 'manifest.json': manifest({ version: 2 }) }, /version 2, this holm knows 1/],
      [{ 'manifest.json': manifest({ spec: {} }) }, /no specification/],
      [{ 'manifest.json': manifest(), '../../etc/passwd': 'x' }, /does not name/],
      [{ 'manifest.json': manifest() }, /rootfs.tar is missing/],
      [{ 'manifest.json': manifest(), 'rootfs.tar': 'y' }, /rootfs.tar: it is cut off/],
      [{ 'manifest.json': manifest(), 'rootfs.tar': '\0'.repeat(1024) }, /SHA-256 differs/],
      [
        {
          'manifest.json': manifest({
            parts: [{ path: '../evil', kind: 'rootfs', sizeBytes: 1, sha256: 'a'.repeat(64) }],
          }),
        },
        /parts that cannot be/,
      ],
    ]
    for (const [parts, message] of cases)
      await expect(host.import(inPieces(build(parts))), String(message)).rejects.toThrow(message)
  })

  it('an archive from elsewhere is given no more than a new environment has', () => {
    const given = createSpec({
      network: 'host',
      nestedDocker: true,
      mounts: [
        { type: 'volume', source: 'test.docker', target: '/var/lib/docker', readonly: false, own: true },
      ],
      security: {
        privileged: true,
        capAdd: ['SYS_ADMIN'],
        capDrop: [],
        securityOpt: ['seccomp=unconfined'],
        devices: ['/dev/mem'],
      },
      secrets: { A: { from: 'command', argv: ['sh', '-c', 'id'], optional: false } },
      options: { docker: { pid: 'host' } },
      ports: [{ container: 80, host: 80, hostIp: '0.0.0.0', protocol: 'tcp' }],
      lifecycle: { ...createSpec().lifecycle, initialize: [[{ shell: 'id' }]] },
    })
    const { spec, dropped } = safeSpec(given)
    expect(spec).not.toHaveProperty('nestedDocker')
    expect(spec).toMatchObject({
      network: 'default',
      mounts: [],
      security: { privileged: false, capAdd: [], securityOpt: [], devices: [] },
      secrets: {},
      options: {},
      ports: [{ container: 80, hostIp: '127.0.0.1', protocol: 'tcp' }],
      lifecycle: { initialize: [] },
    })
    expect(dropped.join('\n')).toMatch(
      /privileged[^]*Docker engine[^]*SYS_ADMIN[^]*network of this machine[^]*docker/,
    )
  })

  it('knows of no folder of the machine it left', () => {
    const spec = createSpec({
      mounts: [
        { type: 'bind', source: '/home/me/secret-project', target: '/workspace', readonly: false },
        { type: 'volume', source: 'data', target: '/data', readonly: false },
      ],
    })
    expect(portableSpec(spec, false).mounts.map(({ type }) => type)).toEqual(['volume'])
    expect(portableSpec(spec, true).mounts[0]).toMatchObject({ source: 'secret-project' })
  })
})

describe('archive', () => {
  it('holds parts of any size, also beyond 8 GiB', async () => {
    const head = partHeader('large', 9 * 1024 ** 3)
    let first = 0
    for await (const { sizeBytes } of readParts(inPieces(head))) {
      first = sizeBytes
      break
    }
    expect(first).toBe(9 * 1024 ** 3)
  })

  it('a manifest must be one', () => {
    expect(() => parseManifest('[]')).toThrow(/something else/)
    expect(() => parseManifest('{"format":"holm-environment","version":1}')).toThrow(/no specification/)
  })
})
