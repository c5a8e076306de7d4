import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { createRunner } from '../runner.ts'
import { loadBlueprint } from './load-blueprint.ts'
import type { LoadedBlueprint } from './loaded-blueprint.ts'

function load(text: string, env: Record<string, string> = {}, other?: string): Promise<LoadedBlueprint> {
  const cwd = mkdtempSync(join(tmpdir(), "it's lima "))
  onTestFinished(() => rmSync(cwd, { recursive: true }))
  writeFileSync(join(cwd, '.lima-sandbox.toml'), text)
  if (other !== undefined) writeFileSync(join(cwd, 'holm.yaml'), other)
  const paths = { config: join(cwd, 'config'), cache: join(cwd, 'cache') }
  return loadBlueprint(undefined, { cwd, env, paths, runner: createRunner({ env }), platform: 'linux' })
}

const whole = `
project = "My Shop"
[vm]
cpus = 4
memory = "8GiB"
disk = "30GiB"
vmType = "vz"
image = "ubuntu-22.04"
[tools]
nodejs = "20"
python = true
rust = false
duckdb = true
apt = ["jq"]
[claude]
install = true
[sync.to]
exclude = ["dist/"]
[watch]
interval = 30
[hooks]
post_provision = ["echo provisioned"]
post_sync = ["npm ci", "npm test"]
pre_run = ["true"]
`

it('becomes a blueprint, and what stands for nothing here is named', async () => {
  const loaded = await load(whole)
  expect(loaded.blueprint).toEqual({
    name: 'My Shop',
    base: 'ubuntu-22.04',
    resources: { cpus: 4, memory: '8GiB', disk: '30GiB' },
    packages: ['jq'],
    tools: { node: '20', python: 'latest' },
    scripts: { postInstall: ['echo provisioned'] },
    lifecycle: { postCreate: 'set -e\nnpm ci\nnpm test' },
  })
  expect(loaded).toMatchObject({ defaultName: 'my-shop', base: 'ubuntu-22.04', format: 'native' })
  const named = loaded.warnings.map((warning) => /toml: (\S+) is not used/.exec(warning)?.[1])
  expect(named).toEqual(['vm.vmType', 'tools.duckdb', 'claude', 'sync', 'watch', 'hooks.pre_run'])
})

it('is changed by the variables that lima-sandbox has, and not read beside a blueprint', async () => {
  const env = { LIMA_SANDBOX_CPUS: '2', LIMA_SANDBOX_PROJECT: 'other' }
  const { blueprint } = await load('[vm]\ncpus = 8\n', env)
  expect(blueprint).toEqual({ name: 'other', resources: { cpus: '2' } })
  expect((await load(whole, {}, 'name: own\n')).blueprint).toEqual({ name: 'own' })
  expect((await load('')).blueprint).toEqual({})
})

it.each([
  { text: 'vm = 3\n', says: 'vm: must be a table' },
  { text: '[vm]\ncpus = "many"\n', says: 'resources.cpus' },
  { text: '[tools]\napt = "jq"\n', says: 'packages' },
  { text: '[hooks]\npost_sync = 3\n', says: 'lifecycle.postCreate' },
])('refuses $text', async ({ text, says }) => {
  await expect(load(text)).rejects.toMatchObject({
    code: 'HOLM_BLUEPRINT_INVALID',
    message: expect.stringContaining(says),
  })
})

it('names a key that nobody knows, and a file that is no TOML', async () => {
  expect((await load('[vm]\ncpu = 2\n[extra]\na = 1\n')).warnings).toEqual([
    expect.stringContaining('vm.cpu is unknown and not used'),
    expect.stringContaining('extra is unknown and not used'),
  ])
  await expect(load('[vm\n')).rejects.toMatchObject({ code: 'HOLM_BLUEPRINT_SYNTAX' })
})
