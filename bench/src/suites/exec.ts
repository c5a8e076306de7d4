import {
  createDevcontainerProject,
  createHolmProject,
  devcontainerExec,
  devcontainerUp,
  dockerRun,
} from './contenders.ts'
import type { Suite } from './suite.ts'

export const exec: Suite = {
  name: 'exec',
  needs: 'docker',
  async *cases(lab) {
    const project = createHolmProject(lab, 'exec')
    const config = createDevcontainerProject(lab, 'exec-config')
    const container = (await dockerRun(lab, project, 'exec-raw')).trim()
    await lab.holm(project, 'up')
    await devcontainerUp(lab, config, 'exec')
    yield {
      id: 'exec',
      title: 'run `true` in a running environment',
      contenders: [
        { name: 'docker exec', run: () => lab.docker('exec', container, 'true') },
        { name: 'holm exec', run: () => lab.holm(project, 'exec', 'exec', '--', 'true') },
        { name: 'devcontainer exec', run: () => devcontainerExec(lab, config, 'exec') },
      ],
      budgets: [
        { of: 'holm exec', than: 'docker exec', plusMs: 70 },
        { of: 'holm exec', than: 'devcontainer exec', times: 0.4 },
      ],
    }
    await lab.holm(project, 'destroy', '--yes')
    for (const value of ['exec', 'exec-raw']) await lab.removeContainers(value)
  },
}
