import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest'
import { root } from '../scripts/root.ts'
import { hasCommand, isRoot } from '../scripts/testing/machine.ts'
import {
  createTestHolm,
  describeEnd,
  makeFolder,
  missingBuild,
  missingDocker,
  missingRootfs,
  runProgram,
  type Ended,
  type TestHolm,
} from './support/holm.ts'
import {
  listAnchors,
  listLinks,
  matchesShown,
  parseBlocks,
  parseConsole,
  type Block,
} from './support/markdown.ts'

const guide = join(root, 'docs', 'guide')
const pages = [join(root, 'README.md'), ...listPages(guide)]
const linked = [
  ...pages,
  ...['CONTRIBUTING.md', 'AGENTS.md', 'SECURITY.md', 'docs/README.md', 'docs/glossary.md'].map(inRoot),
]
  .concat(listPages(join(root, 'docs', 'adr')), listPages(join(root, 'docs', 'reference')))
  .concat(readdirSync(join(root, 'examples')).map((name) => join(root, 'examples', name, 'README.md')))

const requirements: Readonly<Record<string, () => string | undefined>> = {
  docker: missingDocker,
  rootfs: missingRootfs,
  lxc: missingLxc,
  rsync: () => (hasCommand('rsync') ? undefined : 'rsync is not installed'),
}

/** Its network and limits are root's. */
function missingLxc(): string | undefined {
  if (!isRoot()) return 'not root'
  return hasCommand('lxc-start') ? undefined : 'LXC is not installed'
}

function inRoot(path: string): string {
  return join(root, path)
}

function listPages(folder: string): string[] {
  if (!existsSync(folder)) return []
  const names = readdirSync(folder).filter((name) => name.endsWith('.md'))
  return names.toSorted().map((name) => join(folder, name))
}

/** Where the blocks of one page run, one after another. */
interface Session {
  readonly holm: TestHolm
  readonly folder: string
  project: string
  count: number
}

const chapters = pages
  .map((path) => ({ page: relative(root, path), blocks: parseBlocks(readFileSync(path, 'utf8')) }))
  .filter(({ blocks }) => blocks.length > 0)

describe.each(chapters)('$page', ({ blocks }) => {
  let session: Session | undefined

  beforeAll(async () => {
    if (missingBuild() !== undefined) return
    const holm = createTestHolm()
    session = { holm, folder: makeFolder('holm-docs-'), project: '', count: 0 }
    enterProject(session, 'empty')
    // A reader's machine has the base after its first use; here a local tarball stands in for the download.
    const rootfs = process.env['HOLM_TEST_ROOTFS']
    if (rootfs !== undefined) await holm.json(['base', 'add', 'debian-12', rootfs])
  })

  afterAll(async () => {
    await session?.holm.dispose()
    if (session) rmSync(session.folder, { recursive: true, force: true })
  })

  for (const block of blocks) {
    test(`line ${block.line}: ${block.language} ${block.text.split('\n')[0]}`, async (ctx) => {
      const reason = block.markers.skip ?? missingBuild() ?? missingNeed(block)
      if (block.markers.project !== undefined && session) enterProject(session, block.markers.project)
      if (reason !== undefined) ctx.skip(reason)
      await checkBlock(block, session!, ctx)
    })
  }
})

function missingNeed({ markers }: Block): string | undefined {
  return markers.needs.map((need) => requirements[need]?.()).find((reason) => reason !== undefined)
}

/** A copy of a folder of the checkout, or an empty one; for `checkout` with what the command needs. */
function enterProject(session: Session, source: string): void {
  session.project = join(session.folder, String(++session.count), source === 'checkout' ? 'holm' : 'project')
  if (source === 'empty') mkdirSync(session.project, { recursive: true })
  else if (source === 'checkout') {
    cpSync(inRoot('examples'), join(session.project, 'examples'), { recursive: true, filter: isSource })
    for (const folder of ['bin', 'packages']) symlinkSync(inRoot(folder), join(session.project, folder))
  } else cpSync(inRoot(source), session.project, { recursive: true, filter: isSource })
}

function isSource(path: string): boolean {
  return !/\/(?:node_modules|dist)$/.test(path)
}

type BlockCheck = (block: Block, session: Session) => Promise<void>

const checks: Readonly<Record<string, BlockCheck>> = {
  sh: expectScript,
  console: expectConsole,
  yaml: expectDocument,
  toml: expectDocument,
  jsonc: expectDocument,
  ts: expectTypes,
}

async function checkBlock(block: Block, session: Session, ctx: TestContext): Promise<void> {
  const { file, before } = block.markers
  if (file !== undefined) write(join(session.project, file), block.text)
  if (before !== undefined)
    await expectScript({ ...block, text: before, markers: { needs: [], exit: 0 } }, session)
  const check = checks[block.language]
  if (check) return check(block, session)
  if (file === undefined) ctx.skip(`nothing to check in a block of ${block.language || 'no language'}`)
}

/** A document is a blueprint, unless its name says that it is a configuration or belongs to another tool. */
async function expectDocument(block: Block, session: Session): Promise<void> {
  const { file = '' } = block.markers
  if (file.startsWith('holm.config.')) return expectConfig(session)
  if (file !== 'pyproject.toml') return expectBlueprint(block, session)
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${text}\n`)
}

function runShell(script: string, { holm, project }: Session): Promise<Ended> {
  const env = { ...holm.env, PATH: `${inRoot('bin')}:${holm.env['PATH'] ?? ''}` }
  return runProgram(['sh', '-c', script], { cwd: project, env })
}

async function expectScript({ text, markers }: Block, session: Session): Promise<void> {
  const ended = await runShell(`set -e\n${text}`, session)
  expect(ended.code, describeEnd([text], ended)).toBe(markers.exit)
}

/** Both streams together, as on a terminal; the exit code counts for the last command. */
async function expectConsole({ text, markers }: Block, session: Session): Promise<void> {
  const commands = parseConsole(text)
  // A `cd` holds for the commands after it, as for a reader who types them.
  const place = join(session.folder, 'place')
  let folder = session.project
  for (const [index, { command, output }] of commands.entries()) {
    const ended = await runShell(`{ ${command}\n} 2>&1; code=$?; pwd > '${place}'; exit $code`, {
      ...session,
      project: folder,
    })
    folder = readFileSync(place, 'utf8').trimEnd()
    const isLast = index === commands.length - 1
    expect(ended.code, describeEnd([command], ended)).toBe(isLast ? markers.exit : 0)
    if (matchesShown(ended.stdout, output)) continue
    expect(ended.stdout.trimEnd(), `what ${command} shows`).toBe(output.join('\n').trimEnd())
  }
}

async function expectConfig({ holm, project }: Session): Promise<void> {
  const ended = await holm.run(['config', 'list'], { cwd: project })
  expect(ended.code, describeEnd(['holm', 'config', 'list'], ended)).toBe(0)
}

const blueprintFiles = {
  yaml: 'holm.yaml',
  toml: 'holm.toml',
  jsonc: '.devcontainer/devcontainer.json',
} as const

/** A blueprint that stands alone gets a folder of its own; one that is a file of the project is checked there. */
async function expectBlueprint({ text, language, markers }: Block, session: Session): Promise<void> {
  const name = blueprintFiles[language as keyof typeof blueprintFiles]
  const path =
    markers.file === undefined
      ? join(session.folder, `blueprint-${++session.count}`, name)
      : join(session.project, markers.file)
  if (markers.file === undefined) write(path, text)
  const ended = await session.holm.run(['blueprint', 'validate', path], { cwd: dirname(path) })
  expect(ended.code, describeEnd(['holm', 'blueprint', 'validate', path], ended)).toBe(markers.exit)
}

/** Type-checked inside the checkout, where `@holm/core` leads to its source. */
async function expectTypes({ text, line }: Block): Promise<void> {
  mkdirSync(inRoot('.cache'), { recursive: true })
  const folder = join(inRoot('.cache'), `docs-types-${process.pid}-${line}`)
  try {
    write(join(folder, 'block.ts'), text)
    const options = {
      extends: '../../tsconfig.base.json',
      compilerOptions: { noEmit: true, rootDir: '../..' },
      files: ['block.ts'],
    }
    write(join(folder, 'tsconfig.json'), JSON.stringify(options))
    const ended = await runProgram([
      process.execPath,
      inRoot('node_modules/typescript/bin/tsc'),
      '-p',
      folder,
    ])
    expect(ended.code, describeEnd(['tsc'], ended)).toBe(0)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

test.each(linked.filter((path) => existsSync(path)).map((path) => relative(root, path)))(
  '%s: every link leads somewhere',
  (name) => {
    const path = inRoot(name)
    const page = readFileSync(path, 'utf8')
    const dead = listLinks(page)
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => !leadsSomewhere(target, { path, page }))
    expect(dead).toEqual([])
  },
)

function leadsSomewhere(target: string, from: { path: string; page: string }): boolean {
  const [file = '', anchor] = decodeURIComponent(target).split('#')
  const path = file === '' ? from.path : resolve(dirname(from.path), file)
  if (!existsSync(path)) return false
  if (anchor === undefined) return true
  return listAnchors(file === '' ? from.page : readFileSync(path, 'utf8')).has(anchor)
}
