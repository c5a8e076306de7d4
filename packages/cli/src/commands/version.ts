import type { BuiltinCommand } from '../builtin.ts'
import { readManifest } from '../package-files.ts'

export const version: BuiltinCommand = {
  id: 'version',
  group: 'holm',
  hostless: true,
  summary: 'Print the version of holm.',
  description: 'holm --version and holm -v print it too. With --json also that of Node.js and the platform.',
  examples: [{ command: 'holm version --json', description: 'What a bug report needs.' }],
  run() {
    const manifest = readManifest()
    const { node } = process.versions
    const data = { version: manifest.version, node, platform: process.platform, arch: process.arch }
    return Promise.resolve({ data, text: `holm ${manifest.version}` })
  },
}
