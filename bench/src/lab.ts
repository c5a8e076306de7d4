import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { root } from '../../scripts/root.ts'
import type { Engine } from './engine.ts'
import { runProgram, type ProgramOptions } from './program.ts'

export interface LabOptions {
  readonly signal: AbortSignal
  readonly namespace: string
  /** Absent: suites with containers cannot be run. */
  readonly engine?: Engine | undefined
  /** Where its folder is made; absent: where temporary files are. */
  readonly place?: string
}

/** Where everything is run: folders of its own, and the contenders' command lines. */
export interface Lab {
  readonly signal: AbortSignal
  readonly namespace: string
  readonly folder: string
  readonly env: NodeJS.ProcessEnv
  /** Throws where there is none. */
  readonly engine: Engine
  node(...args: readonly string[]): Promise<string>
  holm(cwd: string, ...args: readonly string[]): Promise<string>
  docker(...args: readonly string[]): Promise<string>
  /** `@devcontainers/cli`; `command` is `up` or `exec`, on a project folder. */
  devcontainer(command: 'up' | 'exec', project: string, ...args: readonly string[]): Promise<string>
  /** Any program, in the lab's folder and environment unless the options say otherwise. */
  run(argv: readonly string[], options?: ProgramOptions): Promise<string>
  /** A new project folder with these files. */
  createProject(name: string, files?: Readonly<Record<string, string>>): string
  /** Removes the containers of a label `holm-bench=<value>`. */
  removeContainers(value: string): Promise<void>
  dispose(): Promise<void>
}

export const holmCli: string = join(root, 'packages', 'cli', 'bin', 'holm.js')
const manifestOfDevcontainers = createRequire(import.meta.url).resolve('@devcontainers/cli/package.json')
export const devcontainerCli: string = join(dirname(manifestOfDevcontainers), 'devcontainer.js')

export function createLab({ signal, namespace, engine, place = tmpdir() }: LabOptions): Lab {
  const folder = realpathSync(mkdtempSync(join(place, 'holm-bench-')))
  const env = createEnv({ folder, namespace, engine })
  const run: Lab['run'] = (argv, options) => runProgram(argv, { cwd: folder, env, signal, ...options })
  const requireEngine = (): Engine => {
    if (engine === undefined) throw new Error('there is no Docker engine')
    return engine
  }
  // Clean-up has to work after an interruption, too.
  const dockerAlways = (args: readonly string[]): Promise<string> =>
    runProgram([requireEngine().cli, ...args], { cwd: folder, env })
  const removeContainers = (filter: string): Promise<void> => removeLabelled(dockerAlways, filter)
  return {
    signal,
    namespace,
    folder,
    env,
    get engine() {
      return requireEngine()
    },
    node: (...args) => run([process.execPath, ...args]),
    holm: (cwd, ...args) => run([process.execPath, holmCli, ...args], { cwd }),
    docker: (...args) => run([requireEngine().cli, ...args]),
    devcontainer: (command, project, ...args) =>
      run([
        process.execPath,
        devcontainerCli,
        command,
        `--docker-path=${requireEngine().cli}`,
        `--workspace-folder=${project}`,
        ...args,
      ]),
    run,
    createProject: (name, files = {}) => createProject(join(folder, 'projects', name), files),
    removeContainers: (value) => removeContainers(`holm-bench=${value}`),
    async dispose() {
      try {
        await runProgram([process.execPath, holmCli, 'destroy', '--all', '--yes'], { cwd: folder, env })
        if (engine) await removeContainers(`holm-bench-namespace=${namespace}`)
      } finally {
        rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
      }
    },
  }
}

interface EnvInput {
  readonly folder: string
  readonly namespace: string
  readonly engine: Engine | undefined
}

/** Nothing of the user's own configuration of any of the tools. */
function createEnv({ folder, namespace, engine }: EnvInput): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(HOLM_|DOCKER_|NODE_|XDG_|npm_|pnpm_|FORCE_COLOR$|CI$)/i.test(name),
  )
  const home = join(folder, 'user')
  mkdirSync(home)
  return {
    ...Object.fromEntries(kept),
    HOME: home,
    HOLM_HOME: join(folder, 'holm'),
    HOLM_NAMESPACE: namespace,
    DOCKER_HOST: engine?.host ?? `unix://${join(folder, 'no-engine.sock')}`,
    NO_COLOR: '1',
  }
}

function createProject(folder: string, files: Readonly<Record<string, string>>): string {
  mkdirSync(folder, { recursive: true })
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return folder
}

async function removeLabelled(
  docker: (args: readonly string[]) => Promise<string>,
  label: string,
): Promise<void> {
  const ids = (await docker(['ps', '--all', '--quiet', '--filter', `label=${label}`]))
    .split('\n')
    .filter(Boolean)
  if (ids.length > 0) await docker(['rm', '--force', '--volumes', ...ids])
}
