import { blueprintKeys } from '../../packages/core/src/host/blueprint/blueprint-keys.ts'
import { listBuiltins } from '../../packages/core/src/host/blueprint/builtins.ts'
import type { Generator } from '../generate.ts'
import { formatPage, formatTable, generatedFrom } from '../markdown.ts'

const example = `\`\`\`yaml
name: shop
extends: python-dev
packages: [libpq-dev]
tools:
  node: '22'
environment:
  LOG_LEVEL: debug
ports: [8000, '5433:5432']
resources:
  cpus: 2
  memory: 4GiB
lifecycle:
  postCreate: pip install -r requirements.txt
secrets:
  API_TOKEN: env:SHOP_API_TOKEN
check: python3 -m pytest --version
\`\`\``

const finding = `\`holm up\` looks in the current folder, then in its parents up to the root of the git repository (or the home folder), for

1. \`holm.yaml\`, \`holm.yml\`, \`holm.json\`, \`holm.toml\`
2. \`.devcontainer/devcontainer.json\`, \`.devcontainer.json\`
3. \`.devcontainer/<one folder>/devcontainer.json\`; with several of them the one that is meant must be named

and takes the first. \`holm up <reference>\` takes an existing file, a folder that has one of these, a file of
\`<config>/blueprints\` by its name, or a built-in by its name, in this order. The folder of a \`holm.*\` or a devcontainer.json is the project;
for any other file, and for a blueprint found by name, the current folder is.

JSON may have comments and trailing commas. YAML is version 1.2 with merge keys: \`no\` is text. A key that stands twice is an error. Numbers of
\`tools\` and \`environment\` keep their spelling: \`python: 3.10\` is version 3.10. Nothing is interpolated: a \`$\` is a \`$\`, and scripts see
the variables of the environment.`

const merging = `A blueprint gets what its parents say, in the order of \`extends\`, then says its own. A parent that several parents share counts once.
\`name\`, \`$schema\` and \`extends\` are not inherited.

${formatTable(
  ['What', 'Rule'],
  [
    ['maps (`environment`, `tools`, `resources`, `services`, `providers`, …)', 'key by key'],
    ['`packages`, `expose`, `security.*`, `depends_on`', 'joined without repetition, the parent first'],
    ['`ports`', 'joined; an entry replaces the one for the same port inside'],
    ['`volumes`, `bind_mounts`, `tmpfs`', 'joined; an entry replaces the one with the same path inside'],
    ['`scripts.setup`, `scripts.postInstall`', 'all run, the parent first'],
    ['`base`, `check`, each stage of `lifecycle`, each secret, `healthcheck`, text and numbers', 'replaced'],
    ['`null`', 'removes what the parent says'],
  ],
)}

Relative paths mean the folder of the file that has them; in built-ins and in files from git, which have no folder of their own, the project's.
A file from git is fetched once and kept by its commit. Branches and tags are refused: they may mean something else tomorrow.`

const thresh = `Blueprints of thresh load as they are: \`scripts.setup\` and \`postInstall\` as text, \`ports\`, \`expose\`, \`volumes\`, \`bind_mounts\`, \`tmpfs\`
and \`wslConfig*\` are the same keys.`

const devcontainer = `\`devcontainer.json\` is read as the specification says: images and Dockerfiles, users, environment, mounts, \`runArgs\`,
ports, \`hostRequirements\`, the six lifecycle commands, variables, and the image's label \`devcontainer.metadata\`. Features, Compose, build
options and unknown \`runArgs\` are refused by name, before anything is made; an unknown key, and a machine with fewer cores or less
memory than \`hostRequirements\`, are warnings. \`forwardPorts\` publishes the same
port on 127.0.0.1.`

/** One table for each top-level key that has keys of its own; the rest in the first. */
function keySections(): string[] {
  const keys = Object.keys(blueprintKeys)
  const groups = [...new Set(keys.filter((key) => key.includes('.')).map((key) => key.split('.')[0] ?? key))]
  const table = (names: readonly string[]) =>
    formatTable(
      ['key', 'meaning'],
      names.map((name) => [`\`${name}\``, blueprintKeys[name] ?? '']),
    )
  return [
    table(keys.filter((key) => !key.includes('.'))),
    ...groups.map((group) => `### ${group}\n\n${table(keys.filter((key) => key.startsWith(`${group}.`)))}`),
  ]
}

const generator: Generator = {
  name: 'blueprint-page',
  async generate() {
    const builtins = (await listBuiltins()).map(({ name, base, description }) => [
      `\`${name}\``,
      base,
      description,
    ])
    const page = formatPage(
      generatedFrom('packages/core/src/host/blueprint/blueprint-keys.ts'),
      '# Blueprint',
      'A blueprint declares an environment. `holm init` writes one; its JSON Schema is `packages/core/schema/holm.schema.json`.',
      example,
      '## Where it is found',
      finding,
      '## Extending',
      merging,
      '## Keys',
      '`*` is a name of your choice. Entries of a list have the path of the list.',
      ...keySections(),
      '## Built-ins',
      formatTable(['name', 'base', 'description'], builtins),
      '## Other formats',
      devcontainer,
      thresh,
    )
    return { 'docs/reference/blueprint.md': page }
  },
}

export default generator
