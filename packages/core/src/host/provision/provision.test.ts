import { describe, expect, it } from 'vitest'
import { createLocalInside, createRecorder, createScriptedInside } from '../../../test/support/inside.ts'
import { assertPackageNames } from './packages.ts'
import { provision, provisionWith } from './provision.ts'
import { scriptArgv } from './scripts.ts'
import type { Base, Provision } from '../../spec.ts'
import type { InsideResult } from './inside.ts'
import type { ScriptedInside } from '../../../test/support/inside.ts'

const image = { kind: 'image', reference: 'debian:12' } as const

const specWith = (more: Partial<Provision>, env: Record<string, string> = {}) => ({
  base: image as Base,
  env,
  provision: { packages: [], tools: {}, setup: [], postInstall: [], ...more },
})

/** A Debian with `installed` packages; `more` answers before it. */
function createDebian(
  installed: readonly string[],
  more: (command: string) => Partial<InsideResult> | undefined = () => undefined,
): ScriptedInside {
  return createScriptedInside((command) => {
    const own = more(command)
    if (own) return own
    if (command.includes('uid=')) return { stdout: 'uid=0\nhas=apt-get\nhas=bash\nlists=yes\n' }
    if (command.startsWith('dpkg-query'))
      return { code: 1, stdout: installed.map((name) => `${name} installed\n`).join('') }
    return undefined
  })
}

const run = (
  spec: ReturnType<typeof specWith>,
  inside: ScriptedInside,
  reporter = createRecorder(),
): Promise<void> => provisionWith(spec, { inside, reporter, retryDelayMs: 0 })

describe('provision', () => {
  it('runs nothing when nothing is asked', async () => {
    const inside = createDebian([])
    const reporter = createRecorder()
    await provision(specWith({}), inside, reporter)
    expect(inside.requests).toEqual([])
    expect(reporter.steps).toEqual([])
  })

  it('keeps the order packages, setup, environment, postInstall', async () => {
    const inside = createDebian([])
    const reporter = createRecorder()
    await run(
      specWith({ packages: ['git'], setup: ['one', 'two'], postInstall: ['three'] }, { A: 'b' }),
      inside,
      reporter,
    )
    expect(reporter.steps).toEqual([
      'inspect',
      'packages',
      'setup 1',
      'setup 2',
      'environment',
      'postInstall',
    ])
  })

  it('exports variables alone with one exec', async () => {
    const inside = createDebian([])
    await run(specWith({}, { A: "it's" }), inside)
    expect(inside.requests).toHaveLength(1)
    expect(inside.requests[0]?.input).toContain(`export A='it'\\''s'\n`)
  })

  it('leaves the variables of a base that is this machine to the execs', async () => {
    const inside = createDebian([])
    const reporter = createRecorder()
    await run({ ...specWith({}, { A: 'b' }), base: { kind: 'host' } }, inside, reporter)
    expect(inside.requests).toEqual([])
    expect(reporter.steps[0]).toMatch(/^skip environment: /)
  })

  it('warns when /etc is read-only', async () => {
    const reporter = createRecorder()
    await run(
      specWith({}, { A: 'b' }),
      createScriptedInside(() => ({ code: 73 })),
      reporter,
    )
    expect(reporter.lines[0]).toMatch(/^warning: \/etc is read-only/)
  })

  it.each(['1A', 'A-B', '', 'A B'])('refuses the variable name %j', async (name) => {
    const inside = createDebian([])
    await expect(run(specWith({}, { [name]: 'x' }), inside)).rejects.toMatchObject({
      code: 'HOLM_BLUEPRINT_INVALID',
    })
    expect(inside.requests).toEqual([])
  })
})

describe('packages', () => {
  it('installs only what is missing, without reading the lists again', async () => {
    const inside = createDebian(['git'])
    await run(specWith({ packages: ['git', 'curl'] }), inside)
    const apt = inside.commands().filter((command) => command.startsWith('apt-get'))
    expect(apt).toEqual([expect.stringMatching(/^apt-get install .* -- curl$/)])
  })

  it('is skipped with two execs when all are there', async () => {
    const inside = createDebian(['git', 'curl'])
    const reporter = createRecorder()
    await run(specWith({ packages: ['git', 'curl'] }), inside, reporter)
    expect(inside.requests).toHaveLength(2)
    expect(reporter.steps).toEqual(['inspect', 'skip packages: all 2 are installed'])
  })

  it('reads the lists when there are none', async () => {
    const inside = createDebian([], (command) =>
      command.includes('uid=') ? { stdout: 'uid=0\nhas=apt-get\n' } : undefined,
    )
    await run(specWith({ packages: ['curl'] }), inside)
    expect(
      inside
        .commands()
        .slice(2)
        .map((command) => command.split(' ')[1]),
    ).toEqual(['update', 'install'])
  })

  it('reads the lists and tries again when a package is unknown to old ones', async () => {
    let updated = false
    const inside = createDebian([], (command) => {
      if (command.startsWith('apt-get update')) updated = true
      return command.startsWith('apt-get install') && !updated
        ? { code: 100, stderr: 'E: Unable to locate package curl' }
        : undefined
    })
    await run(specWith({ packages: ['curl'] }), inside)
    expect(
      inside
        .commands()
        .slice(2)
        .map((command) => command.split(' ')[1]),
    ).toEqual(['install', 'update', 'install'])
  })

  it('tries once more after a lock', async () => {
    let tries = 0
    const inside = createDebian([], (command) => {
      if (!command.startsWith('apt-get install')) return undefined
      tries += 1
      return tries === 1
        ? { code: 100, stderr: 'E: Could not get lock /var/lib/dpkg/lock-frontend' }
        : undefined
    })
    const reporter = createRecorder()
    await run(specWith({ packages: ['curl'] }), inside, reporter)
    expect(tries).toBe(2)
    expect(reporter.lines).toContain('warning: apt-get failed for a cause that may pass; trying once more')
  })

  it('names an unknown package and what the manager said', async () => {
    const inside = createDebian([], (command) =>
      command.startsWith('apt-get install')
        ? { code: 100, stderr: 'E: Unable to locate package nope' }
        : undefined,
    )
    await expect(run(specWith({ packages: ['nope'] }), inside)).rejects.toMatchObject({
      code: 'HOLM_COMMAND_FAILED',
      message: 'package nope is not known to apt-get\nE: Unable to locate package nope',
      details: { package: 'nope', manager: 'apt-get', code: 100 },
    })
  })

  it('says that there is no network where apt itself only warns of it', async () => {
    const inside = createDebian([], (command) => {
      if (command.startsWith('apt-get update'))
        return { stderr: "W: Failed to fetch http://m.example/x  Could not resolve 'm.example'" }
      return command.startsWith('apt-get install')
        ? { code: 100, stderr: 'E: Unable to locate package git' }
        : undefined
    })
    await expect(run(specWith({ packages: ['git'] }), inside)).rejects.toMatchObject({
      code: 'HOLM_COMMAND_FAILED',
      message: expect.stringContaining('apt-get cannot reach its package source to install git'),
      hint: expect.stringContaining('use a base that already has these packages'),
    })
  })

  it('needs a manager', async () => {
    const inside = createScriptedInside(() => ({ stdout: 'uid=0\n' }))
    await expect(run(specWith({ packages: ['git'] }), inside)).rejects.toMatchObject({
      code: 'HOLM_COMMAND_FAILED',
      message: expect.stringContaining('no apt-get, apk, dnf, zypper or pacman inside'),
    })
  })

  it('are not installed into this machine when it is the base', async () => {
    const spec = { ...specWith({ packages: ['git', 'curl'] }), base: { kind: 'host' } as const }
    const inside = createDebian(['git'])
    await expect(run(spec, inside)).rejects.toMatchObject({
      code: 'HOLM_COMMAND_FAILED',
      message: 'curl: not installed on this machine, whose files the environment only reads',
    })
    expect(inside.commands().some((command) => command.startsWith('apt-get'))).toBe(false)
    await expect(run(spec, createDebian(['git', 'curl']))).resolves.toBeUndefined()
  })

  it.each(['-o', 'git-', 'a b', 'a;b', '$(x)', 'a`b', '', '../x', 'a&b', 'a>1'])(
    'refuses the name %j before anything runs',
    async (name) => {
      const inside = createDebian([])
      await expect(run(specWith({ packages: [name] }), inside)).rejects.toMatchObject({
        code: 'HOLM_BLUEPRINT_INVALID',
      })
      expect(inside.requests).toEqual([])
    },
  )

  it('takes the names that distributions use', () => {
    const names = [
      'git',
      'g++',
      'libc6:i386',
      'nodejs=20.1-1~deb12',
      'nodejs~20',
      '@development-tools',
      'python3.11',
      'gtk+3.0',
    ]
    expect(() => assertPackageNames(names)).not.toThrow()
  })
})

describe('being root', () => {
  it('goes through sudo without a password for a normal user, environment included', async () => {
    const inside = createDebian([], (command) =>
      command.includes('uid=') ? { stdout: 'uid=1000\nhas=apt-get\nhas=sudo\nlists=yes\n' } : undefined,
    )
    await run(specWith({ packages: ['git'] }), inside)
    expect(inside.commands().at(-1)).toMatch(
      /^sudo -n env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 apt-get install /,
    )
  })

  it('is not needed where the base is this machine', async () => {
    const inside = createDebian(['git'], (command) =>
      command.includes('uid=') ? { stdout: 'uid=1000\nhas=apt-get\nhas=sudo\n' } : undefined,
    )
    const spec = { ...specWith({ packages: ['git'], setup: ['true'] }), base: { kind: 'host' } as const }
    await run(spec, inside)
    expect(inside.commands().some((command) => command.startsWith('sudo'))).toBe(false)
  })

  it('is an error where there is no sudo', async () => {
    const inside = createDebian([], (command) =>
      command.includes('uid=') ? { stdout: 'uid=1000\nhas=apt-get\n' } : undefined,
    )
    await expect(run(specWith({ packages: ['git'] }), inside)).rejects.toMatchObject({
      code: 'HOLM_COMMAND_FAILED',
      message: expect.stringContaining('user id 1000 and sudo is missing'),
    })
  })
})

describe('scripts', () => {
  const local = createLocalInside()
  const runScript = (script: string, reporter = createRecorder()): Promise<void> =>
    provisionWith(specWith({ setup: [script] }), { inside: local, reporter })

  it('run in bash where it is there, else in sh, ending at the first error', () => {
    expect(scriptArgv({ programs: new Set(['bash']) }).slice(4)).toEqual(['bash', '-e', '-o', 'pipefail'])
    expect(scriptArgv({ programs: new Set() }).slice(4)).toEqual(['sh', '-e'])
  })

  it('have stdin closed, so that a command cannot eat the rest, and lose their CRLF', async () => {
    const reporter = createRecorder()
    await runScript('cat\r\necho "after"\r\nprintf unfinished', reporter)
    expect(reporter.lines).toEqual(['after', 'unfinished'])
  })

  it('fail with name, code and last lines', async () => {
    await expect(runScript('for i in $(seq 30); do echo "line $i"; done; exit 7')).rejects.toMatchObject({
      code: 'HOLM_COMMAND_FAILED',
      message: expect.stringMatching(/^script setup ended with code 7\nline 11\n[^]*line 30$/),
    })
  })
})
