import { renderManPages } from '../../packages/cli/src/reference/man.ts'
import type { Generator } from '../generate.ts'
import { shippedCommands } from '../shipped-commands.ts'

const man: Generator = {
  name: 'man',
  generate() {
    const pages = Object.entries(renderManPages(shippedCommands))
    return Promise.resolve(
      Object.fromEntries(pages.map(([name, page]) => [`packages/cli/man/${name}`, page])),
    )
  },
}

export default man
