import { builtins } from '../../packages/cli/src/commands/index.ts'
import { renderCommandsPage } from '../../packages/cli/src/reference/markdown.ts'
import type { Generator } from '../generate.ts'

const commands: Generator = {
  name: 'commands',
  generate: () => Promise.resolve({ 'docs/reference/commands.md': renderCommandsPage(builtins) }),
}

export default commands
