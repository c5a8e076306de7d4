import { describe, expect, it } from 'vitest'
import { parseMachine } from './machine.ts'
import { plainName, selectManager } from './managers.ts'
import type { Machine } from './machine.ts'
import type { PackageManager } from './managers.ts'

const machineWith = (programs: readonly string[], more: Partial<Machine> = {}): Machine => ({
  ...parseMachine('uid=0'),
  programs: new Set(programs),
  ...more,
})

function managerOf(program: string, more: Partial<Machine> = {}): PackageManager {
  const manager = selectManager(machineWith([program], more))
  if (!manager) throw new Error(`no manager for ${program}`)
  return manager
}

describe('parseMachine', () => {
  it('reads what the probe prints', () => {
    const text = [
      'uid=1000',
      'arch=x86_64',
      'has=apk',
      'has=sudo',
      'libc=musl',
      'ids=1',
      'os:NAME="Alpine Linux"',
      'os:ID=alpine',
      'os:VERSION_ID="3.22.1"',
    ].join('\r\n')
    expect(parseMachine(text)).toEqual({
      uid: 1000,
      programs: new Set(['apk', 'sudo']),
      os: { id: 'alpine', version: '3.22.1' },
      architecture: 'x86_64',
      libc: 'musl',
      hasLists: false,
      mapsAllIds: false,
    })
  })

  it('takes the ids of several ranges together', () => {
    expect(parseMachine('ids=1\nids=65535').mapsAllIds).toBe(true)
    expect(parseMachine('')).toMatchObject({ uid: 0, mapsAllIds: true, libc: 'gnu' })
  })
})

describe('argument lists', () => {
  it('of apt', () => {
    const apt = managerOf('apt-get')
    expect(apt.refresh()).toEqual(['apt-get', 'update', '-q', '-o', 'Acquire::Languages=none'])
    expect(apt.install(['git', 'g++']).join(' ')).toBe(
      'apt-get install -q -y --no-install-recommends -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold ' +
        '-o DPkg::Lock::Timeout=60 -o APT::Keep-Downloaded-Packages=false -- git g++',
    )
    expect(apt.env).toMatchObject({ DEBIAN_FRONTEND: 'noninteractive' })
    expect(apt.queryInstalled(['git=1:2.39', 'libc6:i386']).slice(-2)).toEqual(['git', 'libc6'])
    expect(apt.clean()).toBeUndefined()
  })

  it('of apt where only one user id exists', () => {
    expect(managerOf('apt-get', { mapsAllIds: false }).install(['git'])).toContain('APT::Sandbox::User=root')
    expect(managerOf('apt-get').install(['git'])).not.toContain('APT::Sandbox::User=root')
  })

  it('of apk, which reads its index anew and keeps nothing', () => {
    const apk = managerOf('apk')
    expect(apk.refresh()).toBeUndefined()
    expect(apk.install(['git'])).toEqual(['apk', 'add', '--no-cache', '--wait', '60', 'git'])
  })

  it.each(['dnf', 'microdnf'])('of %s', (program) => {
    expect(managerOf(program).install(['git'])).toEqual([
      program,
      'install',
      '-y',
      '--setopt=install_weak_deps=0',
      'git',
    ])
  })

  it('of yum, which has no weak dependencies', () => {
    expect(managerOf('yum').install(['git'])).toEqual(['yum', 'install', '-y', 'git'])
  })

  it('of zypper', () => {
    expect(managerOf('zypper').install(['git'])).toEqual([
      'zypper',
      '--non-interactive',
      'install',
      '--no-recommends',
      '--',
      'git',
    ])
  })

  it('of pacman, which upgrades everything with fresh lists', () => {
    const pacman = managerOf('pacman')
    expect(pacman.refresh()).toEqual(['pacman', '-Syu', '--noconfirm', '--noprogressbar'])
    expect(pacman.install(['git'])).toEqual([
      'pacman',
      '-S',
      '--noconfirm',
      '--needed',
      '--noprogressbar',
      '--',
      'git',
    ])
    expect(pacman.clean()).toBeDefined()
  })
})

describe('what is installed', () => {
  it.each([
    ['apt-get', 'git installed\ncurl not-installed\nvim config-files\n', ['git']],
    ['apk', 'git\ncurl\n', ['git', 'curl']],
    ['dnf', 'installed git\npackage curl is not installed\n', ['git']],
    ['zypper', 'installed git\npackage curl is not installed\n', ['git']],
    ['pacman', 'git\n', ['git']],
  ])('%s', (program, stdout, expected) => {
    expect([...managerOf(program).parseInstalled(stdout)]).toEqual(expected)
  })
})

describe('the version that would be installed', () => {
  it.each([
    [
      'apt-get',
      'nodejs:\n  Installed: (none)\n  Candidate: 18.20.4+dfsg-1~deb12u1\n',
      '18.20.4+dfsg-1~deb12u1',
    ],
    ['apt-get', 'golang-9:\n  Installed: (none)\n  Candidate: (none)\n', undefined],
    ['apt-get', '', undefined],
    ['apk', 'nodejs-current-21.7.3-r0\nnodejs-20.15.1-r0\n', '20.15.1-r0'],
    ['apk', '', undefined],
    ['dnf', 'Last metadata expiration check: 0:01:00 ago.\n16.20.2\n20.11.1\n', '20.11.1'],
    [
      'zypper',
      'Information for package nodejs:\nName           : nodejs\nVersion        : 20.15.1-1.2\n',
      '20.15.1-1.2',
    ],
    ['pacman', 'Repository : extra\nName : nodejs\nVersion         : 22.3.0-1\n', '22.3.0-1'],
  ])('%s: %j', (program, stdout, expected) => {
    expect(managerOf(program).parseCandidate(stdout, 'nodejs')).toBe(expected)
  })
})

describe('a package that does not exist', () => {
  it.each([
    ['apt-get', 'E: Unable to locate package nope'],
    ['apt-get', "E: Package 'nope' has no installation candidate"],
    ['apt-get', "E: Version '9' for 'nope' was not found"],
    ['apk', 'ERROR: unable to select packages:\n  nope (no such package):\n    required by: world[nope]'],
    ['dnf', 'Error: Unable to find a match: nope'],
    ['dnf', 'No match for argument: nope'],
    ['microdnf', "error: No package matches 'nope'"],
    ['yum', 'No package nope available.'],
    ['zypper', "'nope' not found in package names. Trying capabilities."],
    ['zypper', "No provider of 'nope' found."],
    ['pacman', 'error: target not found: nope'],
  ])('%s: %j', (program, output) => {
    expect(managerOf(program).parseUnknown(output)).toBe('nope')
    expect(managerOf(program).parseUnknown('all went well')).toBeUndefined()
  })
})

it('selectManager finds none where there is none', () => {
  expect(selectManager(machineWith(['bash', 'sudo']))).toBeUndefined()
})

it('plainName takes version, release and architecture off', () => {
  expect(['git', 'git=1:2', 'libc6:i386', 'nodejs~20', 'git/stable'].map(plainName)).toEqual([
    'git',
    'git',
    'libc6',
    'nodejs',
    'git',
  ])
})
