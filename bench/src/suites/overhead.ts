import { bareNode } from './contenders.ts'
import type { Suite } from './suite.ts'

const commands = ['--help', 'provider list', 'config list', 'list']

/** What a command costs before it does anything, with every plugin of holm installed. */
export const overhead: Suite = {
  name: 'overhead',
  async *cases(lab) {
    const project = lab.createProject('overhead')
    const contenders = commands.map((command) => ({
      name: `holm ${command}`,
      run: () => lab.holm(project, ...command.split(' ')),
    }))
    yield {
      id: 'overhead',
      title: 'commands that have nothing to do, every plugin installed',
      contenders: [bareNode(lab), ...contenders],
      budgets: contenders.map(({ name }) => ({ of: name, than: 'node -e 0', plusMs: 60 })),
    }
  },
}
