import type { Lab } from '../lab.ts'
import type { Contender } from '../measure.ts'
import { createDevcontainerProject, createHolmProject, devcontainerUp, dockerRun } from './contenders.ts'
import type { Suite } from './suite.ts'

/** `holm up` from nothing to running; its removal is not timed. */
export function holmUpAnew(lab: Lab, name: string, project: string): Contender {
  return {
    name,
    run: () => lab.holm(project, 'up'),
    after: () => lab.holm(project, 'destroy', '--yes'),
  }
}

export function devcontainerUpAnew(lab: Lab, name: string, project: string): Contender {
  const value = name.replaceAll(/[^a-z0-9]+/g, '-')
  return {
    name,
    run: () => devcontainerUp(lab, project, value),
    after: () => lab.removeContainers(value),
  }
}

export const coldUp: Suite = {
  name: 'cold-up',
  needs: 'docker',
  async *cases(lab) {
    const project = createHolmProject(lab, 'cold')
    const config = createDevcontainerProject(lab, 'cold-config')
    yield {
      id: 'cold-up',
      title: 'first up, image present',
      contenders: [
        {
          name: 'docker run -d',
          run: () => dockerRun(lab, project, 'cold'),
          after: () => lab.removeContainers('cold'),
        },
        holmUpAnew(lab, 'holm up', project),
        holmUpAnew(lab, 'holm up (devcontainer.json)', config),
        devcontainerUpAnew(lab, 'devcontainer up', config),
      ],
      budgets: [
        { of: 'holm up', than: 'docker run -d', times: 1.3 },
        { of: 'holm up', than: 'devcontainer up', times: 0.5 },
        { of: 'holm up (devcontainer.json)', than: 'devcontainer up', times: 0.5 },
      ],
    }
  },
}

export const warmUp: Suite = {
  name: 'warm-up',
  needs: 'docker',
  async *cases(lab) {
    const project = createHolmProject(lab, 'warm')
    const config = createDevcontainerProject(lab, 'warm-config')
    await lab.holm(project, 'up')
    await devcontainerUp(lab, config, 'warm')
    yield {
      id: 'warm-up',
      title: 'up again, it is running',
      contenders: [
        { name: 'holm up', run: () => lab.holm(project, 'up') },
        { name: 'devcontainer up', run: () => devcontainerUp(lab, config, 'warm') },
      ],
      budgets: [{ of: 'holm up', than: 'devcontainer up', times: 0.5 }],
    }
    await lab.holm(project, 'destroy', '--yes')
    await lab.removeContainers('warm')
  },
}
