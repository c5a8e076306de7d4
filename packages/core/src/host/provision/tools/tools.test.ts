import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createRecorder, createScriptedInside } from '../../../../test/support/inside.ts'
import { provisionWith } from '../provision.ts'
import { resolveToolPackages } from './distribution.ts'
import { parseToolVersions, versionScript } from './install.ts'
import {
  findToolArchive,
  parseChecksum,
  parsePythonSums,
  parseRustChannel,
  parseTemurin,
} from './upstream.ts'
import { assertTool, compareVersions, parseVersion, satisfies } from './version.ts'
import type { Platform } from './upstream.ts'
import type { ToolName } from './version.ts'

const a = 'a'.repeat(64)
const b = 'b'.repeat(64)

describe('versions', () => {
  it.each([
    ['node', 'v20.1.0', '20', true],
    ['node', 'v20.1.0', '20.x', true],
    ['node', '18.20.4+dfsg-1~deb12u1', '20', false],
    ['node', 'v21.0.0', 'lts', false],
    ['node', 'v22.0.0', 'lts', true],
    ['python', 'Python 3.11.2', '3.11', true],
    ['python', 'Python 3.11.2', '3.1', false],
    ['go', '1.22.3 linux/amd64', '1.22', true],
    ['go', '2:1.19~1', '1.19', true],
    ['java', '17.0.13+11-2~deb12u1', '17', true],
    ['java', '2:1.17-74', '17', true],
    ['java', '1.8.0_402', '8', true],
    ['java', '24', 'lts', false],
    ['rust', 'rustc 1.63.0', 'latest', true],
    ['rust', 'no version', 'latest', false],
  ] as const)('%s %s for %s: %s', (...[tool, version, wanted, expected]) => {
    expect(satisfies(tool, version, wanted)).toBe(expected)
  })

  it('compare as numbers', () => {
    expect(['1.10', '1.9.9', '1.10.1'].toSorted(compareVersions)).toEqual(['1.9.9', '1.10', '1.10.1'])
    expect(parseVersion('none')).toBeUndefined()
  })

  it.each([
    ['ruby', '3'],
    ['node', '>=20'],
    ['node', ''],
    ['node', '20; rm'],
  ])('%s %j is refused', (tool, version) => {
    expect(() => assertTool(tool, version)).toThrow(
      expect.objectContaining({ code: 'HOLM_BLUEPRINT_INVALID' }),
    )
  })
})

it.each([
  ['node', '20', 'apt', ['nodejs']],
  ['node', '20', 'zypper', ['nodejs20']],
  ['python', '3.12', 'apt', ['python3', 'python3.12']],
  ['python', '3.12', 'zypper', ['python3', 'python312']],
  ['go', '1.22.1', 'apt', ['golang-go', 'golang-1.22-go']],
  ['java', '17', 'apt', ['openjdk-17-jdk-headless']],
  ['java', 'lts', 'apt', ['default-jdk-headless']],
  ['java', '17', 'apk', ['openjdk17']],
  ['java', '21', 'dnf', ['java-21-openjdk-devel']],
  ['java', '21', 'pacman', ['jdk21-openjdk']],
  ['rust', 'latest', 'apk', ['rust']],
] as const)('packages of %s %s with %s: %j', (...[tool, wanted, manager, expected]) => {
  expect(resolveToolPackages(tool, wanted, manager).map(({ main }) => main)).toEqual(expected)
})

const gnu = { architecture: 'x86_64', libc: 'gnu' } as const
const musl = { architecture: 'aarch64', libc: 'musl' } as const

/** Answers by address; an unknown one fails the test. */
const readFrom = (texts: Readonly<Record<string, string>>) => async (url: string) => {
  const text = texts[url]
  if (text === undefined) throw new Error(`nobody serves ${url}`)
  return text
}

describe("the makers' archives", () => {
  const find = (
    request: readonly [ToolName, string],
    texts: Record<string, string>,
    platform: Platform = gnu,
  ) =>
    findToolArchive(
      { tool: request[0], wanted: request[1], platform },
      { base: 'https://m', read: readFrom(texts) },
    )

  it('node: newest release that fits, with the checksum of its list', async () => {
    const index = JSON.stringify([
      { version: 'v22.1.0', lts: false },
      { version: 'v20.9.0', lts: 'Iron' },
      { version: 'v20.10.0', lts: 'Iron' },
    ])
    const sums = `${b}  node-v20.10.0-linux-arm64.tar.gz\n${a}  node-v20.10.0-linux-x64.tar.gz\n`
    const texts = { 'https://m/index.json': index, 'https://m/v20.10.0/SHASUMS256.txt': sums }
    const expected = {
      version: 'v20.10.0',
      url: 'https://m/v20.10.0/node-v20.10.0-linux-x64.tar.gz',
      sha256: a,
    }
    expect(await find(['node', '20'], texts)).toMatchObject(expected)
    expect(await find(['node', 'lts'], texts)).toMatchObject(expected)
    expect(await find(['node', '16'], texts)).toBeUndefined()
    expect(await find(['node', '20'], texts, musl)).toBeUndefined()
  })

  it('go: newest stable archive of the architecture', async () => {
    const files = (version: string) => [
      { filename: `${version}.src.tar.gz`, os: '', arch: '', kind: 'source', sha256: b },
      { filename: `${version}.linux-amd64.tar.gz`, os: 'linux', arch: 'amd64', kind: 'archive', sha256: a },
    ]
    const index = JSON.stringify([
      { version: 'go1.23rc1', stable: false, files: files('go1.23rc1') },
      { version: 'go1.22.9', stable: true, files: files('go1.22.9') },
      { version: 'go1.22.10', stable: true, files: files('go1.22.10') },
    ])
    const texts = { 'https://m/?mode=json&include=all': index }
    expect(await find(['go', '1.22'], texts)).toMatchObject({
      url: 'https://m/go1.22.10.linux-amd64.tar.gz',
      sha256: a,
    })
    expect(await find(['go', '1.23'], texts)).toBeUndefined()
    expect(await find(['go', '1.22'], texts, musl)).toBeUndefined()
  })

  it('java: Temurin, for the C library of the base', async () => {
    const answer = JSON.stringify([
      {
        binary: { package: { link: 'https://x/jdk.tar.gz', checksum: a } },
        version: { semver: '21.0.5+11' },
      },
    ])
    expect(parseTemurin('[]')).toBeUndefined()
    const releases = JSON.stringify({ most_recent_lts: 21, most_recent_feature_release: 23 })
    const path = 'https://m/assets/latest/21/hotspot?architecture'
    const texts = {
      'https://m/info/available_releases': releases,
      [`${path}=x64&image_type=jdk&os=linux`]: answer,
      [`${path}=aarch64&image_type=jdk&os=alpine-linux`]: answer,
    }
    expect(await find(['java', 'lts'], texts)).toMatchObject({ version: '21.0.5+11', sha256: a })
    expect(await find(['java', '21'], texts, musl)).toMatchObject({ url: 'https://x/jdk.tar.gz' })
  })

  it('python: newest fitting install_only build', () => {
    const name = (version: string, target: string) =>
      `cpython-${version}+20240101-${target}-install_only.tar.gz`
    const sums = [
      `${a}  ${name('3.11.9', 'x86_64-unknown-linux-gnu')}`,
      `${b}  ${name('3.11.10', 'x86_64-unknown-linux-gnu')}`,
      `${b}  ${name('3.11.11', 'x86_64-unknown-linux-musl')}`,
    ].join('\n')
    const found = parsePythonSums(sums, '3.11', 'x86_64-unknown-linux-gnu')
    expect(found).toEqual({ version: '3.11.10', file: name('3.11.10', 'x86_64-unknown-linux-gnu') })
    expect(parseChecksum(sums, found?.file ?? '')).toBe(b)
    expect(parsePythonSums(sums, '3.12', 'x86_64-unknown-linux-gnu')).toBeUndefined()
  })

  it('rust: archive of the channel for the target, from the mirror', async () => {
    const url = 'https://static.rust-lang.org/dist/2024-01-01/rust-1.80.1-x86_64-unknown-linux-gnu.tar.gz'
    const channel = [
      '[pkg.cargo]\nversion = "0.81.0 (x)"',
      '[pkg.rust]\nversion = "1.80.1 (3f5fd8dd4 2024-08-06)"',
      `[pkg.rust.target.aarch64-unknown-linux-gnu]\navailable = true\nurl = "no"\nhash = "${b}"`,
      `[pkg.rust.target.x86_64-unknown-linux-gnu]\navailable = true\nurl = "${url}"\nhash = "${a}"\nxz_hash = "${b}"`,
    ].join('\n\n')
    const texts = {
      'https://m/channel-rust-1.80.toml': channel,
      'https://m/channel-rust-stable.toml': channel,
    }
    const expected = {
      version: '1.80.1',
      url: url.replace('https://static.rust-lang.org/dist', 'https://m'),
      sha256: a,
    }
    expect(await find(['rust', '1.80'], texts)).toMatchObject(expected)
    expect(await find(['rust', 'latest'], texts)).toMatchObject(expected)
    expect(parseRustChannel(channel, 'riscv64gc-unknown-linux-gnu')).toBeUndefined()
  })
})

it('parseToolVersions reads what the tools print', () => {
  expect(parseToolVersions('node=v20.1.0\npython=Python 3.11.2\njava=17.0.1\n\n')).toEqual({
    node: 'v20.1.0',
    python: 'Python 3.11.2',
    java: '17.0.1',
  })
})

describe('installing a tool', () => {
  const spec = (tools: Record<string, string>) => ({
    base: { kind: 'image', reference: 'debian:12' } as const,
    env: {},
    provision: { packages: [], tools, setup: [], postInstall: [] },
  })
  const archive = 'not really an archive'
  const sha256 = createHash('sha256').update(archive).digest('hex')
  const index = JSON.stringify([
    {
      version: 'go1.22.1',
      stable: true,
      files: [{ filename: 'go.tgz', os: 'linux', arch: 'amd64', kind: 'archive', sha256 }],
    },
  ])
  const createInside = (candidate: string) =>
    createScriptedInside((command) => {
      if (command.includes('uid=')) return { stdout: 'uid=0\narch=x86_64\nhas=apt-get\nlists=yes\n' }
      return command.startsWith('apt-cache policy golang-go')
        ? { stdout: `  Candidate: ${candidate}\n` }
        : undefined
    })
  const serve = (bytes: string) => async (url: unknown) =>
    new Response((url as string).endsWith('go.tgz') ? bytes : index)

  it('takes the distribution when its version fits', async () => {
    const inside = createInside('2:1.22~1')
    const fetch = () => Promise.reject(new Error('must not be asked'))
    await provisionWith(spec({ go: '1.22' }), { inside, reporter: createRecorder(), fetch })
    expect(inside.commands().at(-1)).toMatch(/^apt-get install .* -- golang-go$/)
  })

  it("takes the makers' archive otherwise, verified, on stdin, and links its commands", async () => {
    const inside = createInside('2:1.19~1')
    await provisionWith(spec({ go: '1.22' }), { inside, reporter: createRecorder(), fetch: serve(archive) })
    const [unpack, link] = inside.requests.slice(-2)
    expect(Buffer.from(unpack?.input ?? '').toString()).toBe(archive)
    expect(unpack?.argv.at(-1)).toBe('/opt/holm/go-go1.22.1')
    expect(link?.argv.slice(4)).toEqual([
      'go',
      '/opt/holm/go-go1.22.1/bin/go',
      'gofmt',
      '/opt/holm/go-go1.22.1/bin/gofmt',
    ])
  })

  it('refuses other bytes than were published', async () => {
    const inside = createInside('2:1.19~1')
    const running = provisionWith(spec({ go: '1.22' }), {
      inside,
      reporter: createRecorder(),
      fetch: serve('other bytes'),
    })
    await expect(running).rejects.toMatchObject({
      code: 'HOLM_COMMAND_FAILED',
      message: expect.stringContaining('checksum'),
    })
    expect(inside.commands().some((command) => command.includes('/opt/holm'))).toBe(false)
  })

  it('names everything that was tried', async () => {
    const inside = createInside('2:1.19~1')
    const fetch = () => Promise.reject(new Error('no network'))
    await expect(
      provisionWith(spec({ go: '1.22' }), { inside, reporter: createRecorder(), fetch }),
    ).rejects.toMatchObject({
      code: 'HOLM_COMMAND_FAILED',
      message:
        'go 1.22 cannot be installed: apt-get has golang-go 2:1.19~1; apt-get has golang-1.22-go (none); ' +
        'https://go.dev/dl cannot be asked (no network)',
    })
  })
})

describe('what is there', () => {
  const read = (programs: Readonly<Record<string, string>>): ReturnType<typeof parseToolVersions> => {
    const folder = mkdtempSync(join(tmpdir(), 'holm-tools-'))
    for (const [name, output] of Object.entries(programs))
      writeFileSync(join(folder, name), `#!/bin/sh\n${output}\n`, { mode: 0o755 })
    const sed = spawnSync('sh', ['-c', 'command -v sed'], { encoding: 'utf8' }).stdout.trim()
    symlinkSync(sed, join(folder, 'sed'))
    const { stdout } = spawnSync('/bin/sh', ['-c', versionScript], {
      encoding: 'utf8',
      env: { PATH: folder },
    })
    rmSync(folder, { recursive: true })
    return parseToolVersions(stdout)
  }

  it('is a tool that one can build with', () => {
    const java = 'echo openjdk version \\"21.0.13\\" >&2'
    expect(read({ java, rustc: 'echo rustc 1.85.1' })).toEqual({})
    expect(
      read({
        java,
        javac: 'echo javac 21.0.13',
        rustc: 'echo "rustc 1.85.1"',
        cargo: 'true',
        node: 'echo v24.1.0',
      }),
    ).toEqual({ java: '21.0.13', rust: 'rustc 1.85.1', node: 'v24.1.0' })
    expect(read({ javac: 'echo javac 1.8.0_402 >&2' })).toEqual({ java: '1.8.0_402' })
  })
})
