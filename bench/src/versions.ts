import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { runCommand } from '../../scripts/command.ts'
import type { Engine } from './engine.ts'
import { devcontainerCli, holmCli } from './lab.ts'

/** Of everything that is run. */
export async function readVersions(engine: Engine | undefined): Promise<Record<string, string>> {
  const docker = engine && (await readDockerVersions(engine))
  return {
    node: process.versions.node,
    holm: versionIn(dirname(dirname(holmCli))),
    '@devcontainers/cli': versionIn(dirname(devcontainerCli)),
    ...docker,
    bubblewrap: lastWord((await runCommand(['bwrap', '--version'])).output),
  }
}

async function readDockerVersions({ cli, host }: Engine): Promise<Record<string, string>> {
  const format = '{{.Server.Version}} {{.Client.Version}}'
  const { output } = await runCommand([cli, '--host', host, 'version', '--format', format])
  const [server = '', client = ''] = output.trim().split(' ')
  return { 'docker engine': server, 'docker client': client }
}

function versionIn(folder: string): string {
  return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version
}

function lastWord(text: string): string {
  return text.trim().split(/\s+/).at(-1) ?? ''
}

/** What is measured: the commit, and whether the sources are it. */
export async function readCommit(): Promise<{ commit: string; modified: boolean }> {
  const head = await runCommand(['git', 'rev-parse', '--short=7', 'HEAD'])
  const status = await runCommand(['git', 'status', '--porcelain', '--', 'packages', 'pnpm-lock.yaml'])
  return { commit: head.code === 0 ? head.output.trim() : 'unknown', modified: status.output.trim() !== '' }
}
