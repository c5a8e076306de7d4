import type { Machine } from './machine.ts'

export type ManagerName = 'apt' | 'apk' | 'dnf' | 'zypper' | 'pacman'

/** A package manager as data and pure functions: argument lists out, output in. */
export interface PackageManager {
  readonly name: ManagerName
  /** The program that was found; dnf, microdnf and yum are one family. */
  readonly program: string
  readonly env: Readonly<Record<string, string>>
  /** Fetches the package lists; undefined when `install` does it by itself. */
  refresh(): readonly string[] | undefined
  install(packages: readonly string[]): readonly string[]
  /** Prints which of the packages are installed; its exit code says nothing. */
  queryInstalled(packages: readonly string[]): readonly string[]
  parseInstalled(stdout: string): ReadonlySet<string>
  /** Prints the version `install` would take. */
  queryCandidate(name: string): readonly string[]
  parseCandidate(stdout: string, name: string): string | undefined
  /** Name of a package that does not exist, from the output of a failed `install`. */
  parseUnknown(output: string): string | undefined
  /** Removes downloaded packages where `install` keeps them. */
  clean(): readonly string[] | undefined
}

const nonEmptyLines = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')

/** First match of any of the patterns, its first group. */
function firstGroup(text: string, patterns: readonly RegExp[]): string | undefined {
  for (const pattern of patterns) {
    const found = pattern.exec(text)?.[1]
    if (found !== undefined) return found
  }
  return undefined
}

/** The name without a version, release or architecture: "nodejs=20.1" is "nodejs". */
export function plainName(name: string): string {
  return name.replace(/[=~/].*$/, '').replace(/:[a-z0-9-]+$/, '')
}

const aptOptions = [
  ...'-q -y --no-install-recommends -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold'.split(' '),
  ...'-o DPkg::Lock::Timeout=60 -o APT::Keep-Downloaded-Packages=false'.split(' '),
]

function createApt(machine: Machine): PackageManager {
  // apt drops to user _apt for downloads, which a namespace with a single user id cannot do.
  const sandbox = machine.mapsAllIds ? [] : ['-o', 'APT::Sandbox::User=root']
  return {
    name: 'apt',
    program: 'apt-get',
    env: { DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' },
    // Descriptions in another language are a third of the lists, and nobody here reads them.
    refresh: () => ['apt-get', 'update', '-q', '-o', 'Acquire::Languages=none', ...sandbox],
    install: (packages) => ['apt-get', 'install', ...aptOptions, ...sandbox, '--', ...packages],
    queryInstalled: (packages) => [
      'dpkg-query',
      '-W',
      '-f',
      '${Package} ${db:Status-Status}\n',
      ...packages.map(plainName),
    ],
    parseInstalled: (stdout) =>
      new Set(
        nonEmptyLines(stdout)
          .filter((line) => line.endsWith(' installed'))
          .map((line) => line.split(' ')[0] ?? ''),
      ),
    queryCandidate: (name) => ['apt-cache', 'policy', name],
    parseCandidate: (stdout) => firstGroup(stdout, [/^\s*Candidate: (?!\(none\))(\S+)/m]),
    parseUnknown: (output) =>
      firstGroup(output, [
        /E: Unable to locate package (\S+)/,
        /E: Package '([^']+)' has no installation candidate/,
        /E: Version '[^']*' for '([^']+)' was not found/,
      ]),
    clean: () => undefined,
  }
}

function createApk(): PackageManager {
  return {
    name: 'apk',
    program: 'apk',
    env: {},
    // --no-cache reads the index anew and keeps nothing.
    refresh: () => undefined,
    install: (packages) => ['apk', 'add', '--no-cache', '--wait', '60', ...packages],
    queryInstalled: (packages) => ['apk', 'info', '-e', ...packages.map(plainName)],
    parseInstalled: (stdout) => new Set(nonEmptyLines(stdout)),
    queryCandidate: (name) => ['apk', 'search', '--no-cache', '-x', name],
    parseCandidate: (stdout, name) =>
      nonEmptyLines(stdout)
        .filter((line) => line.startsWith(`${name}-`))
        .map((line) => line.slice(name.length + 1))
        .findLast((version) => /^\d/.test(version)),
    parseUnknown: (output) => firstGroup(output, [/^\s*(\S+) \(no such package\)/m]),
    clean: () => undefined,
  }
}

const rpmQuery = (packages: readonly string[]): readonly string[] => [
  'rpm',
  '-q',
  '--qf',
  'installed %{NAME}\\n',
  ...packages.map(plainName),
]

function parseRpmQuery(stdout: string): ReadonlySet<string> {
  const prefix = 'installed '
  return new Set(
    nonEmptyLines(stdout)
      .filter((line) => line.startsWith(prefix))
      .map((line) => line.slice(prefix.length)),
  )
}

function createDnf(program: 'dnf' | 'microdnf' | 'yum'): PackageManager {
  // yum of the 7 series knows no weak dependencies and refuses the setting.
  const weak = program === 'yum' ? [] : ['--setopt=install_weak_deps=0']
  return {
    name: 'dnf',
    program,
    env: { LC_ALL: 'C.UTF-8' },
    refresh: () => undefined,
    install: (packages) => [program, 'install', '-y', ...weak, ...packages],
    queryInstalled: rpmQuery,
    parseInstalled: parseRpmQuery,
    queryCandidate: (name) => [program, 'repoquery', '--qf', '%{version}\\n', name],
    parseCandidate: (stdout) => nonEmptyLines(stdout).findLast((line) => /^\d\S*$/.test(line)),
    parseUnknown: (output) =>
      firstGroup(output, [
        /Unable to find a match: (\S+)/,
        /No match for argument: (\S+)/,
        /No package matches '([^']+)'/,
        /No package (\S+) available/,
      ]),
    clean: () => undefined,
  }
}

function createZypper(): PackageManager {
  return {
    name: 'zypper',
    program: 'zypper',
    env: { LC_ALL: 'C.UTF-8', ZYPP_LOCK_TIMEOUT: '60' },
    refresh: () => undefined,
    install: (packages) => ['zypper', '--non-interactive', 'install', '--no-recommends', '--', ...packages],
    queryInstalled: rpmQuery,
    parseInstalled: parseRpmQuery,
    queryCandidate: (name) => ['zypper', '--non-interactive', 'info', name],
    parseCandidate: (stdout) => firstGroup(stdout, [/^Version\s*:\s*(\S+)/m]),
    parseUnknown: (output) =>
      firstGroup(output, [/No provider of '([^']+)' found/, /'([^']+)' not found in package names/]),
    clean: () => undefined,
  }
}

function createPacman(): PackageManager {
  return {
    name: 'pacman',
    program: 'pacman',
    env: { LC_ALL: 'C.UTF-8' },
    // Arch supports no partial upgrade: fresh lists go with an upgrade of everything.
    refresh: () => ['pacman', '-Syu', '--noconfirm', '--noprogressbar'],
    install: (packages) => ['pacman', '-S', '--noconfirm', '--needed', '--noprogressbar', '--', ...packages],
    queryInstalled: (packages) => ['pacman', '-Qq', ...packages.map(plainName)],
    parseInstalled: (stdout) => new Set(nonEmptyLines(stdout)),
    queryCandidate: (name) => ['pacman', '-Si', name],
    parseCandidate: (stdout) => firstGroup(stdout, [/^Version\s*:\s*(\S+)/m]),
    parseUnknown: (output) => firstGroup(output, [/target not found: (\S+)/]),
    // `pacman -Scc --noconfirm` answers "no" to its own question.
    clean: () => ['sh', '-c', 'rm -f /var/cache/pacman/pkg/*.pkg.tar*'],
  }
}

/** The package manager of the environment, or undefined when it has none that holm knows. */
export function selectManager(machine: Machine): PackageManager | undefined {
  const has = (name: string): boolean => machine.programs.has(name)
  if (has('apt-get')) return createApt(machine)
  if (has('apk')) return createApk()
  if (has('zypper')) return createZypper()
  if (has('pacman')) return createPacman()
  const program = (['dnf', 'microdnf', 'yum'] as const).find(has)
  return program === undefined ? undefined : createDnf(program)
}
