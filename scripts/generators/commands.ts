import { renderCommandsPage } from '../../packages/cli/src/reference/markdown.ts'
import type { Generator } from '../generate.ts'
import { shippedCommands } from '../shipped-commands.ts'

const commands: Generator = {
  name: 'commands',
  generate: () =>
    Promise.resolve({
      'docs/reference/commands.md': renderCommandsPage(shippedCommands),
    }),
}

export default commands
