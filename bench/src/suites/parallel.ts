import { createDevcontainerProject, createHolmProject, devcontainerUp, dockerRun } from './contenders.ts'
import type { Suite } from './suite.ts'

const count = 8

function times<T>(make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index))
}

/** To the end of all, also when one fails: what is removed afterwards must not be in the making any more. */
async function all(work: (index: number) => Promise<unknown>): Promise<void> {
  const ended = await Promise.allSettled(times(work))
  const failed = ended.find((each) => each.status === 'rejected')
  if (failed) throw failed.reason
}

export const parallel: Suite = {
  name: 'parallel',
  needs: 'docker',
  async *cases(lab) {
    const projects = times((index) => createHolmProject(lab, `parallel-${index}`))
    const configs = times((index) => createDevcontainerProject(lab, `parallel-config-${index}`))
    yield {
      id: 'parallel',
      title: `${count} first ups at once`,
      contenders: [
        {
          name: `${count} docker run -d`,
          run: () => all((index) => dockerRun(lab, projects[index] ?? '', `raw-${index}`)),
          after: () => all((index) => lab.removeContainers(`raw-${index}`)),
        },
        {
          name: `${count} holm up`,
          run: () => all((index) => lab.holm(projects[index] ?? '', 'up')),
          after: () => all((index) => lab.holm(projects[index] ?? '', 'destroy', '--yes')),
        },
        {
          name: `${count} devcontainer up`,
          run: () => all((index) => devcontainerUp(lab, configs[index] ?? '', `many-${index}`)),
          after: () => all((index) => lab.removeContainers(`many-${index}`)),
        },
      ],
      budgets: [
        { of: `${count} holm up`, than: `${count} docker run -d`, times: 1.3 },
        { of: `${count} holm up`, than: `${count} devcontainer up`, times: 0.5 },
      ],
    }
  },
}
