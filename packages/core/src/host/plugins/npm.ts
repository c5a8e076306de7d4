import { existsSync } from 'node:fs'
import { copyFile, mkdir, readFile, readdir, rm } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { basename, dirname, join, resolve } from 'node:path'
import { HolmError } from '../../errors.ts'
import type { Runner, RunResult } from '../../process.ts'

export interface NpmOptions {
  readonly runner: Runner
  readonly signal?: AbortSignal | undefined
  readonly platform?: NodeJS.Platform
}

// Peers are the host's to serve (docs/adr/0011); scripts of a package never run on this machine.
const quiet = ['--no-audit', '--no-fund', '--no-progress', '--loglevel=error']
const install = [
  '--save-exact',
  '--ignore-scripts',
  '--legacy-peer-deps',
  '--omit=dev',
  '--omit=peer',
  ...quiet,
]

/** Adds a package to the folder. HOLM_PLUGIN_INSTALL ends with npm's last lines. */
export async function npmInstall(folder: string, specifier: string, options: NpmOptions): Promise<void> {
  const result = await runNpm(folder, ['install', '--prefix', folder, ...install, '--', specifier], options)
  if (result.code !== 0) throw npmError(`npm could not install ${specifier}`, result)
}

export async function npmUninstall(folder: string, name: string, options: NpmOptions): Promise<void> {
  const result = await runNpm(folder, ['uninstall', '--prefix', folder, ...install, '--', name], options)
  if (result.code !== 0) throw npmError(`npm could not remove ${name}`, result)
}

/** A package folder as a tarball in `folder`; returns its path. */
export async function npmPack(source: string, folder: string, options: NpmOptions): Promise<string> {
  await mkdir(folder, { recursive: true })
  const argv = ['pack', '--ignore-scripts', '--json', ...quiet, '--pack-destination', folder, '--', source]
  const result = await runNpm(folder, argv, options)
  if (result.code !== 0) throw npmError(`npm could not pack ${source}`, result)
  const name = (await readdir(folder)).find((file) => file.endsWith('.tgz'))
  if (name === undefined) throw npmError(`npm packed nothing of ${source}`, result)
  return join(folder, name)
}

function runNpm(cwd: string, argv: readonly string[], options: NpmOptions): Promise<RunResult> {
  const { runner, signal, platform = process.platform } = options
  return runner.run([...findNpm(platform), ...argv], { cwd, ...(signal && { signal }) })
}

/** npm from PATH. On Windows that is a script for a shell, so its own program is run with node where it lies beside node. */
function findNpm(platform: NodeJS.Platform): readonly string[] {
  if (platform !== 'win32') return ['npm']
  const program = join(dirname(process.execPath), 'node_modules', 'npm', 'bin', 'npm-cli.js')
  return existsSync(program) ? [process.execPath, program] : ['npm.cmd']
}

function npmError(what: string, { code, stdout, stderr }: RunResult): HolmError {
  const lines = `${stdout}\n${stderr}`.split('\n').filter((line) => line.trim() !== '')
  const output = lines.filter((line) => !line.includes('A complete log of this run')).slice(-10)
  return new HolmError('HOLM_PLUGIN_INSTALL', `${what} (exit code ${code}): ${output.join('\n')}`, {
    hint: output.some((line) => line.includes('E404'))
      ? 'Check the name of the package.'
      : 'Check the network and the specifier, or install from a folder or a tarball.',
    details: { output },
  })
}

/**
 * What npm is given: a local tarball, or a folder as a tarball, is copied into the folder (it may be gone or changed at the next
 * install); anything else as it is. HOLM_USAGE for what npm would take as an option.
 */
export async function stageSpecifier(
  folder: string,
  { specifier, cwd }: { readonly specifier: string; readonly cwd: string },
  options: NpmOptions,
): Promise<string> {
  if (specifier.trim() === '' || specifier.startsWith('-')) {
    throw new HolmError('HOLM_USAGE', `"${specifier}" is no package, tarball, folder or git URL`, {
      hint: 'Name what to install, for example holm plugins install @acme/holm-plugin.',
    })
  }
  const path = resolve(cwd, specifier.replace(/^file:/, ''))
  const looksLocal =
    /^(file:|\.{1,2}([/\\]|$)|[/\\]|[a-zA-Z]:[/\\])/.test(specifier) || specifier.endsWith('.tgz')
  if (!looksLocal || /^[a-z+]+:\/\//.test(specifier)) return specifier
  if (!existsSync(path)) {
    throw new HolmError('HOLM_PLUGIN_NOT_FOUND', `there is no ${path}`, { hint: 'Correct the path.' })
  }
  return stageLocal(folder, path, options)
}

async function stageLocal(folder: string, path: string, options: NpmOptions): Promise<string> {
  const tarballs = join(folder, 'tarballs')
  const packing = join(tarballs, 'packing')
  const packed = existsSync(join(path, 'package.json')) ? await npmPack(path, packing, options) : path
  const hash = createHash('sha256')
    .update(await readFile(packed))
    .digest('hex')
    .slice(0, 12)
  // The hash keeps a changed tarball of the same version apart from the one that npm's lock knows.
  const name = `${hash}-${basename(packed)}`
  await mkdir(tarballs, { recursive: true })
  await copyFile(packed, join(tarballs, name))
  await rm(packing, { recursive: true, force: true })
  return `file:tarballs/${name}`
}
