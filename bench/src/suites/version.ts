import { devcontainerCli, holmCli } from '../lab.ts'
import { bareNode } from './contenders.ts'
import type { Suite } from './suite.ts'

export const version: Suite = {
  name: 'version',
  async *cases(lab) {
    yield {
      id: 'version',
      title: 'print the version',
      contenders: [
        bareNode(lab),
        { name: 'holm --version', run: () => lab.node(holmCli, '--version') },
        { name: 'devcontainer --version', run: () => lab.node(devcontainerCli, '--version') },
      ],
      budgets: [{ of: 'holm --version', than: 'node -e 0', plusMs: 15 }],
    }
  },
}
