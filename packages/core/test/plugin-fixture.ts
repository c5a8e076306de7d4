import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { PluginManifest } from '../src/plugin.ts'

/** A folder that is removed after the test. */
export function createTempFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'holm-test-')))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export interface PluginFixture {
  readonly name: string
  /** Merged over a feature manifest; `holm: undefined` in `packageJson` leaves it out. */
  readonly manifest?: Partial<PluginManifest>
  /** Body of `setup(api)`. */
  readonly setup?: string
  /** Whole module, instead of one around `setup`. */
  readonly module?: string
  readonly packageJson?: Readonly<Record<string, unknown>>
}

/** Writes a plugin package into the folder; returns the path of its package.json. */
export function writePlugin(folder: string, fixture: PluginFixture): string {
  const { name, setup = '', packageJson } = fixture
  const holm = { kind: 'feature', id: name, contract: 1, entry: './index.js', ...fixture.manifest }
  const content = { name, version: '1.2.3', type: 'module', holm, ...packageJson }
  const module = `export default { name: ${JSON.stringify(name)}, contract: 1, async setup(api) { ${setup} } }`
  writeFiles(folder, { 'package.json': JSON.stringify(content), 'index.js': fixture.module ?? module })
  return join(folder, 'package.json')
}

/** Writes files by their relative paths. */
export function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), content)
  }
}
