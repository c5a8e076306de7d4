import type { ManagerName } from '../managers.ts'
import type { ToolName } from './version.ts'

/** Packages of a distribution that make up a tool. */
export interface ToolPackages {
  /** The package whose version is the tool's. */
  readonly main: string
  readonly also: readonly string[]
  /** Command name to the program the package puts elsewhere than on PATH. */
  readonly links: Readonly<Record<string, string>>
}

type Table = Readonly<Record<ManagerName, (version: string) => readonly ToolPackages[]>>

const only = (
  main: string,
  also: readonly string[] = [],
  links: ToolPackages['links'] = {},
): ToolPackages => ({
  main,
  also,
  links,
})

const python3 = { python: '/usr/bin/python3' }

/** Versioned packages come first: they are what is meant when the plain one is another version. */
const node: Table = {
  apt: () => [only('nodejs', ['npm'])],
  apk: () => [only('nodejs', ['npm']), only('nodejs-current', ['npm'])],
  dnf: (version) => [
    ...(version === '' ? [] : [only(`nodejs${version.split('.')[0]}`, [])]),
    only('nodejs', ['npm']),
  ],
  zypper: (version) =>
    version === ''
      ? [only('nodejs-default', ['npm-default'])]
      : [only(`nodejs${version.split('.')[0]}`, [`npm${version.split('.')[0]}`])],
  pacman: () => [only('nodejs', ['npm'])],
}

const minor = (version: string): string => version.split('.').slice(0, 2).join('.')

const python: Table = {
  apt: (version) => [
    only('python3', ['python3-venv', 'python3-pip'], python3),
    ...(version.includes('.')
      ? [
          only(`python${minor(version)}`, [`python${minor(version)}-venv`], {
            python: `/usr/bin/python${minor(version)}`,
          }),
        ]
      : []),
  ],
  apk: () => [only('python3', ['py3-pip'])],
  dnf: (version) => [
    only('python3', ['python3-pip'], python3),
    ...(version.includes('.')
      ? [only(`python${minor(version)}`, [], { python: `/usr/bin/python${minor(version)}` })]
      : []),
  ],
  zypper: (version) => [
    only('python3', ['python3-pip'], python3),
    ...(version.includes('.')
      ? [only(`python${minor(version).replace('.', '')}`, [], { python: `/usr/bin/python${minor(version)}` })]
      : []),
  ],
  pacman: () => [only('python', ['python-pip'])],
}

const go: Table = {
  apt: (version) => {
    const bin = `/usr/lib/go-${minor(version)}/bin`
    const links = { go: `${bin}/go`, gofmt: `${bin}/gofmt` }
    return [
      only('golang-go'),
      ...(version.includes('.') ? [only(`golang-${minor(version)}-go`, [], links)] : []),
    ]
  },
  apk: () => [only('go')],
  dnf: () => [only('golang')],
  zypper: (version) => [version.includes('.') ? only(`go${minor(version)}`) : only('go')],
  pacman: () => [only('go')],
}

const rust: Table = {
  apt: () => [only('rustc', ['cargo'])],
  apk: () => [only('rust', ['cargo'])],
  dnf: () => [only('rust', ['cargo'])],
  zypper: () => [only('rust', ['cargo'])],
  pacman: () => [only('rust')],
}

const major = (version: string): string => version.split('.')[0] ?? ''

const java: Table = {
  apt: (version) => [
    only(version === '' ? 'default-jdk-headless' : `openjdk-${major(version)}-jdk-headless`),
  ],
  apk: (version) => [only(version === '' ? 'openjdk21' : `openjdk${major(version)}`)],
  dnf: (version) => [
    only(version === '' ? 'java-latest-openjdk-devel' : `java-${major(version)}-openjdk-devel`),
  ],
  zypper: (version) => [only(version === '' ? 'java-devel' : `java-${major(version)}-openjdk-devel`)],
  pacman: (version) => [only(version === '' ? 'jdk-openjdk' : `jdk${major(version)}-openjdk`)],
}

const tables: Readonly<Record<ToolName, Table>> = { node, python, go, rust, java }

/** Candidates of a distribution for a tool, best first. Names only: which versions they have is asked inside. */
export function resolveToolPackages(
  tool: ToolName,
  wanted: string,
  manager: ManagerName,
): readonly ToolPackages[] {
  const version = /^v?\d/.test(wanted) ? wanted.replace(/^v/, '').replace(/\.x$/, '') : ''
  return tables[tool][manager](version)
}
