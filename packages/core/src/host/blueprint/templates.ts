import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { HolmError } from '../../errors.ts'
import { nearNames } from '../did-you-mean.ts'

/** One starting point of `holm init`. */
interface Template {
  /** Files of a project that give its kind away, most telling first. */
  readonly files: readonly string[]
  /** Lines of YAML in place of the base, tools and commands; comments show what else there is. */
  readonly body: string
}

const leaveBase =
  '# base: debian-12 # absent: this machine in a sandbox, base.default of the configuration elsewhere\n'

/** In the order of detection: a package.json beside a go.mod is more often tooling than the project, so it comes last. */
const templates: Readonly<Record<string, Template>> = {
  rust: {
    files: ['Cargo.toml'],
    body: `${leaveBase}tools:\n  rust: stable\n# packages: [pkg-config, libssl-dev]\n\nlifecycle:\n  postCreate: cargo fetch\ncheck: cargo --version\n`,
  },
  go: {
    files: ['go.mod'],
    body: `${leaveBase}tools:\n  go: latest\n\nlifecycle:\n  postCreate: go mod download\ncheck: go version\n`,
  },
  java: {
    files: ['pom.xml', 'build.gradle', 'build.gradle.kts'],
    body: `${leaveBase}tools:\n  java: lts\n# packages: [maven]\n\ncheck: javac -version\n`,
  },
  python: {
    files: ['pyproject.toml', 'requirements.txt', 'setup.py', 'Pipfile'],
    body: `${leaveBase}tools:\n  python: "3"\n\n# lifecycle:\n#   postCreate: python3 -m venv .venv && .venv/bin/pip install -r requirements.txt\ncheck: python3 --version\n`,
  },
  node: {
    files: ['package.json'],
    body: `${leaveBase}tools:\n  node: lts\n\n# lifecycle:\n#   postCreate: npm ci\ncheck: node --version\n`,
  },
  dockerfile: {
    files: ['Dockerfile', 'Containerfile'],
    body: 'base:\n  dockerfile: ./Dockerfile\n  # target: dev\n\ncheck: "true"\n',
  },
  minimal: { files: [], body: `${leaveBase}# packages: [git, curl]\n\ncheck: "true"\n` },
}

/** Names that `renderTemplate` takes. */
export const templateNames: readonly string[] = Object.keys(templates)

export interface DetectedTemplate {
  readonly template: string
  /** Why, in a few words: "found go.mod". */
  readonly reason: string
}

/** The template that fits the files of a folder. A folder with a dev container needs none: HOLM_USAGE. */
export async function detectTemplate(cwd: string): Promise<DetectedTemplate> {
  const files = await readdir(cwd)
  const devcontainer = await findDevcontainer(cwd, files)
  if (devcontainer !== undefined) {
    throw new HolmError('HOLM_USAGE', `${cwd} has ${devcontainer}, which holm uses as it is`, {
      hint: 'Run `holm up`, or write a holm.yaml all the same with --template.',
      details: { devcontainer },
    })
  }
  for (const [template, { files: telling }] of Object.entries(templates)) {
    const found = telling.find((file) => files.includes(file))
    if (found !== undefined) return { template, reason: `found ${found}` }
  }
  return { template: 'minimal', reason: 'no known project files' }
}

async function findDevcontainer(cwd: string, files: readonly string[]): Promise<string | undefined> {
  if (files.includes('.devcontainer.json')) return '.devcontainer.json'
  if (!files.includes('.devcontainer')) return undefined
  const inner = await readdir(join(cwd, '.devcontainer'), { recursive: true }).catch(() => [])
  const found = inner.find((file) => /^(?:[^/\\]+[/\\])?devcontainer\.json$/.test(file))
  return found === undefined ? undefined : join('.devcontainer', found)
}

/** Text of a holm.yaml with comments. Throws HOLM_USAGE for an unknown template. */
export function renderTemplate(template: string, { name }: { readonly name: string }): string {
  const found = Object.hasOwn(templates, template) ? templates[template] : undefined
  if (found === undefined) throw unknownTemplate(template)
  return `# What \`holm up\` makes of this folder. Every key: docs/reference/blueprint.md, or \`holm blueprint show\`.
name: ${name}
${found.body}
# The project folder appears at /workspace.
# ports: ["8080:8080"]
# environment:
#   LOG_LEVEL: debug
# resources:
#   cpus: 2
#   memory: 4GiB
# secrets:
#   API_TOKEN: env:API_TOKEN
`
}

function unknownTemplate(template: string): HolmError {
  const [near] = nearNames(template, templateNames)
  return new HolmError('HOLM_USAGE', `no template ${JSON.stringify(template)}`, {
    hint: `Use ${near === undefined ? `one of ${templateNames.join(', ')}` : `"${near}"`}.`,
    details: { template, templates: templateNames },
  })
}
