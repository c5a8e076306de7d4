import { createDevcontainerProject, createHolmProject } from './contenders.ts'
import type { Suite } from './suite.ts'
import { devcontainerUpAnew, holmUpAnew } from './up.ts'

const stages = ['onCreate', 'updateContent', 'postCreate', 'postStart', 'postAttach']

function commands(suffix: string): Record<string, string> {
  return Object.fromEntries(stages.map((stage) => [stage + suffix, 'true']))
}

export const lifecycle: Suite = {
  name: 'lifecycle',
  needs: 'docker',
  async *cases(lab) {
    yield {
      id: 'lifecycle',
      title: 'first up, without and with five lifecycle commands that do nothing',
      contenders: [
        holmUpAnew(lab, 'holm up', createHolmProject(lab, 'plain')),
        holmUpAnew(lab, 'holm up, 5 commands', createHolmProject(lab, 'staged', commands(''))),
        devcontainerUpAnew(lab, 'devcontainer up', createDevcontainerProject(lab, 'plain-config')),
        devcontainerUpAnew(
          lab,
          'devcontainer up, 5 commands',
          createDevcontainerProject(lab, 'staged-config', commands('Command')),
        ),
      ],
      budgets: [
        { of: 'holm up, 5 commands', than: 'holm up', plusMs: 100 },
        { of: 'holm up, 5 commands', than: 'devcontainer up, 5 commands', times: 0.5 },
      ],
    }
  },
}
