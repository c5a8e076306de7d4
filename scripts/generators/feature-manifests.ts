import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { tables } from '../../packages/workspace/src/commands/index.ts'
import type { Generator } from '../generate.ts'
import { root } from '../root.ts'

/** The manifest of a feature package lists its commands, so that help and completion import nothing. */
const manifests: Generator = {
  name: 'feature-manifests',
  async generate() {
    const path = 'packages/workspace/package.json'
    const content = JSON.parse(readFileSync(join(root, path), 'utf8')) as { holm: Record<string, unknown> }
    content.holm['commands'] = tables
    return { [path]: `${JSON.stringify(content, null, 2)}\n` }
  },
}

export default manifests
