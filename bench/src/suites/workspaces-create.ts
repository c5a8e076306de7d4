import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { prepareRootfs } from '../../../scripts/testing/rootfs.ts'
import type { Lab } from '../lab.ts'
import type { Suite } from './suite.ts'

const files = 2048
const bytesEach = 512 * 1024
const port = 3000

/** A gibibyte that nothing compresses, in files as they are in repositories with assets. */
function fill(lab: Lab, project: string): void {
  for (let index = 0; index < files; index += 1) {
    const folder = join(project, 'assets', String(index % 32))
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, `${index}.bin`), randomBytes(bytesEach))
  }
  const git = (...args: readonly string[]): Buffer =>
    execFileSync('git', ['-c', 'core.compression=0', ...args], { cwd: project, env: lab.env, stdio: 'pipe' })
  git('init', '--quiet', '--initial-branch=main')
  git('config', 'user.name', 'Bench')
  git('config', 'user.email', 'bench@example.org')
  git('add', '--all')
  git('commit', '--quiet', '--message', 'first')
}

/** What somebody types who has no holm: a worktree, a container with it, and a look whether the service answers. */
const byHand = `
set -e
git worktree add --quiet -b by-hand "$1"
"$2" run --detach --name "$3" --volume "$1:/workspace" --workdir /workspace --publish 127.0.0.1::${port} "$4" python3 -m http.server ${port}
until "$2" exec "$3" grep -q ':${port.toString(16).toUpperCase().padStart(4, '0')} .* 0A ' /proc/net/tcp; do sleep 0.1; done
`

const undoByHand = `
"$2" rm --force "$3"
git worktree remove --force --force "$1"
git branch --quiet -D by-hand
`

/** A workspace with its service beside a worktree and a container by hand, from one repository of 1 GiB. */
export const createWorkspace: Suite = {
  name: 'workspaces-create',
  needs: 'docker',
  async *cases(lab) {
    const rootfs = await prepareRootfs()
    if (rootfs === undefined) throw new Error('there is no root filesystem')
    const image = `${lab.namespace}-rootfs:latest`
    await lab.docker('import', rootfs, image)
    const web = {
      command: ['python3', '-m', 'http.server', String(port)],
      ports: [{ container: port }],
      healthcheck: { port, interval: '100ms' },
    }
    const project = lab.createProject('assets', {
      'holm.yaml': JSON.stringify({ name: 'assets', base: { image }, provider: 'docker', services: { web } }),
    })
    fill(lab, project)
    const words = ['bench', join(lab.folder, 'by-hand'), lab.engine.cli, `${lab.namespace}-by-hand`, image]
    const script = (text: string) => (): Promise<string> =>
      lab.run(['sh', '-c', text, ...words], { cwd: project })
    const settled = (): Promise<string> => lab.run(['sync'])
    yield {
      id: 'workspaces-create',
      title: 'a workspace with a service, of a repository of 1 GiB',
      contenders: [
        {
          name: 'git worktree add; docker run',
          before: settled,
          run: script(byHand),
          after: script(undoByHand),
        },
        {
          name: 'holm workspace create',
          before: settled,
          run: () => lab.holm(project, 'workspace', 'create', 'bench'),
          after: () => lab.holm(project, 'workspace', 'delete', 'bench', '--yes'),
        },
      ],
      budgets: [{ of: 'holm workspace create', than: 'git worktree add; docker run', times: 1.5 }],
    }
  },
}
