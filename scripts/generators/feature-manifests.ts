import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { tables as serve } from '../../packages/serve/src/commands/index.ts'
import { tables as workspace } from '../../packages/workspace/src/commands/index.ts'
import type { Generator } from '../generate.ts'
import { root } from '../root.ts'

const tables = { serve, workspace }

/** The manifest of a feature package lists its commands, so that help and completion import nothing. */
const manifests: Generator = {
  name: 'feature-manifests',
  async generate() {
    return Object.fromEntries(
      Object.entries(tables).map(([name, commands]) => {
        const path = `packages/${name}/package.json`
        const content = JSON.parse(readFileSync(join(root, path), 'utf8')) as {
          holm: Record<string, unknown>
        }
        content.holm['commands'] = commands
        return [path, `${JSON.stringify(content, null, 2)}\n`]
      }),
    )
  },
}

export default manifests
