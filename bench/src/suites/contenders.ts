import type { Lab } from '../lab.ts'
import type { Contender } from '../measure.ts'

/** The floor of everything that is written in JavaScript. */
export function bareNode(lab: Lab): Contender {
  return { name: 'node -e 0', run: () => lab.node('-e', '0') }
}

/** Labels by which containers that are not holm's are found again. */
export function labelsFor(lab: Lab, value: string): string[] {
  return [`holm-bench=${value}`, `holm-bench-namespace=${lab.namespace}`]
}

/** `docker run -d` as one would write it by hand: the same image, the same mount. */
export function dockerRun(lab: Lab, project: string, value: string): Promise<string> {
  const labels = labelsFor(lab, value).flatMap((label) => ['--label', label])
  const mount = `${project}:/workspace`
  return lab.docker('run', '--detach', ...labels, '--volume', mount, lab.engine.image, 'sleep', 'infinity')
}

export function devcontainerUp(lab: Lab, project: string, value: string): Promise<string> {
  const labels = labelsFor(lab, value).flatMap((label) => ['--id-label', label])
  return lab.devcontainer('up', project, ...labels)
}

export function devcontainerExec(lab: Lab, project: string, value: string): Promise<string> {
  const labels = labelsFor(lab, value).flatMap((label) => ['--id-label', label])
  return lab.devcontainer('exec', project, ...labels, 'true')
}

type Commands = Readonly<Record<string, string>>

/** A project with a `holm.yaml` that says no more than the image. */
export function createHolmProject(lab: Lab, name: string, lifecycle: Commands = {}): string {
  const blueprint = { name, base: { image: lab.engine.image }, lifecycle }
  return lab.createProject(name, { 'holm.yaml': JSON.stringify(blueprint) })
}

/** The same as a `devcontainer.json`. */
export function createDevcontainerProject(lab: Lab, name: string, lifecycle: Commands = {}): string {
  const config = { name, image: lab.engine.image, ...lifecycle }
  return lab.createProject(name, { '.devcontainer/devcontainer.json': JSON.stringify(config) })
}
