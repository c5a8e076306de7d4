import { spawnSync } from 'node:child_process'
import { cpSync, globSync, mkdtempSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const packageFolder = join(import.meta.dirname, '..')
const modules = join(packageFolder, 'node_modules')
let folder = ''

// Tells what a run loads: files through the module loader, and Node's own modules.
const probe = `
import { registerHooks } from 'node:module'
import { writeSync } from 'node:fs'
const files = []
registerHooks({
  load(url, context, next) {
    if (!url.startsWith('node:')) files.push(url.split('/').at(-1))
    return next(url, context)
  },
})
const before = new Set(process.moduleLoadList)
process.on('exit', () => {
  const builtins = process.moduleLoadList.filter((name) => !before.has(name) && name.startsWith('NativeModule '))
  writeSync(2, 'LOADED ' + JSON.stringify({ files, builtins: builtins.map((name) => name.slice(13)) }))
})
`

interface Loaded {
  readonly files: readonly string[]
  readonly builtins: readonly string[]
}

// A build of its own: what `dist` holds may be older than the sources. It lies inside the package, so that the bundled
// plugins are found as in an installation.
beforeAll(() => {
  mkdirSync(join(packageFolder, '.cache'), { recursive: true })
  folder = mkdtempSync(join(packageFolder, '.cache', 'start-up-'))
  const tsup = join(modules, 'tsup', 'dist', 'cli-default.js')
  const built = spawnSync(process.execPath, [tsup, '--out-dir', join(folder, 'dist'), '--no-sourcemap'], {
    cwd: packageFolder,
  })
  if (built.status !== 0) throw new Error(`the build failed: ${built.stderr.toString()}`)
  for (const name of ['bin', 'package.json'])
    cpSync(join(packageFolder, name), join(folder, name), { recursive: true })
  writeFileSync(join(folder, 'probe.mjs'), probe)
}, 60_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function load(...argv: string[]): Loaded {
  const home = join(folder, 'home')
  const env = {
    PATH: process.env['PATH'],
    HOME: home,
    XDG_CONFIG_HOME: home,
    XDG_DATA_HOME: home,
    XDG_CACHE_HOME: home,
  }
  const args = ['--import', join(folder, 'probe.mjs'), join(folder, 'bin', 'holm.js'), ...argv]
  const { status, stderr } = spawnSync(process.execPath, args, {
    cwd: folder,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  expect(status, stderr.toString()).toBe(0)
  return JSON.parse(stderr.toString().split('LOADED ')[1] ?? '') as Loaded
}

/** What opens sockets, databases or threads, and is slow to load; no listing of manifests needs it. */
const costly = new Set(['http', 'https', 'tls', 'dns', 'sqlite'])

describe('start-up', () => {
  it('answers --version from package.json alone', () => {
    const { files, builtins } = load('--version')
    expect(files).toEqual(['holm.js'])
    expect(builtins.filter((name) => costly.has(name))).toEqual([])
  })

  const runs: readonly (readonly [argv: readonly string[], aside: readonly string[]])[] = [
    [['--help'], []],
    [['up', '--help'], ['oclif-core-help.js']],
    [['provider', 'list'], []],
    [['plugins', 'list', '--json'], []],
  ]

  it.each(runs)('loads the bundle, what is set aside for it, and no plugin for %j', (argv, aside) => {
    const { files, builtins } = load(...argv)
    expect(files).toEqual(['holm.js', 'start.js', ...aside])
    expect(builtins.filter((name) => costly.has(name))).toEqual([])
    // Grown on purpose? Then say in the commit what for.
    expect(builtins.length).toBeLessThanOrEqual(60)
  })

  it('keeps what V8 compiled, in holm’s cache folder', () => {
    load('--help')
    const code = globSync('home/holm/code/*/*.code', { cwd: folder })
    expect(code.map((path) => basename(path))).toContain('other.code')
  })

  it.skipIf(process.platform !== 'linux').each([
    ['XDG_CACHE_HOME', 0, ''],
    ['HOLM_HOME', 3, 'HOLM_CONFIG_UNREADABLE'],
  ])('comes to its end where %s is a place in which nothing can be made', (name, code, said) => {
    const home = join(folder, 'home')
    const { status, stderr } = spawnSync(process.execPath, [join(folder, 'bin', 'holm.js'), 'list'], {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: home, [name]: '/proc/none' },
      encoding: 'utf8',
      timeout: 15_000,
    })
    expect([status, stderr.includes(said)]).toEqual([code, true])
  })

  it('waits for V8’s compilers at its end, and changes no flag before: Node’s own modules are compiled then', () => {
    writeFileSync(
      join(folder, 'flags.cjs'),
      `const v8 = require('node:v8')
      const say = (text) => require('node:fs').writeSync(2, text + '\\n')
      const set = v8.setFlagsFromString
      let loaded
      v8.setFlagsFromString = (flag) => { loaded ??= process.moduleLoadList.length; set(flag); say(flag) }
      const vm = require('node:vm')
      const run = vm.runInThisContext
      vm.runInThisContext = (code) => { run(code); say('ran ' + code) }
      process.on('exit', () => say('loaded later: ' + (process.moduleLoadList.length - loaded)))`,
    )
    const args = ['--require', join(folder, 'flags.cjs'), join(folder, 'bin', 'holm.js'), '--help']
    const { stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
    expect(stderr.trimEnd().split('\n')).toEqual([
      '--no-maglev',
      '--no-turbofan',
      '--allow-natives-syntax',
      'ran %WaitForBackgroundOptimization()',
      'loaded later: 0',
    ])
    // V8 knows them: a flag that is gone in a later one is told here, and not to users.
    const known = spawnSync(process.execPath, ['--v8-options'], { encoding: 'utf8' }).stdout
    for (const flag of ['--maglev ', '--turbofan ', '--allow-natives-syntax ']) expect(known).toContain(flag)
  })

  it('keeps the bundle small: all of it is read at every start', () => {
    // Grown on purpose? What few commands need is set aside in tsup.config.ts.
    expect(statSync(join(folder, 'dist', 'index.cjs')).size).toBeLessThan(820_000)
  })
})
