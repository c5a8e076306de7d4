import { builtins } from '../../packages/cli/src/commands/index.ts'
import { renderManPages } from '../../packages/cli/src/reference/man.ts'
import type { Generator } from '../generate.ts'

const man: Generator = {
  name: 'man',
  generate() {
    const pages = Object.entries(renderManPages(builtins))
    return Promise.resolve(
      Object.fromEntries(pages.map(([name, page]) => [`packages/cli/man/${name}`, page])),
    )
  },
}

export default man
