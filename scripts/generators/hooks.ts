import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hookTable, type HookShape } from '../../packages/core/src/host/hooks.ts'
import type { Generator } from '../generate.ts'
import { formatPage, formatTable, generatedFrom } from '../markdown.ts'
import { root } from '../root.ts'

const shapes: Readonly<Record<HookShape, string>> = {
  resolve:
    '`(value, context) => value`. Taps get the value one after another and must return it, changed or not.',
  select: '`(context) => answer`. The first tap that answers wins; `undefined` passes.',
  before:
    '`(context) => void`. One after another; a tap that throws refuses the operation (`HOLM_HOOK_VETO`).',
  after: '`(context) => void`. All taps run; what one throws is a warning that names its plugin.',
  on: '`(context) => void`. Observers: nobody waits for them; what one throws is a warning.',
}

/** The payload of each hook as the contract writes it: types are gone at run time. */
async function readPayloads(): Promise<Map<string, string>> {
  const source = await readFile(join(root, 'packages/core/src/hooks.ts'), 'utf8')
  const body = /interface HookPayloads \{([\s\S]*?)\n\}/.exec(source)?.[1] ?? ''
  const declarations = body.split(/\n {2}(?=\w)/).filter((text) => text.trim() !== '')
  return new Map(
    declarations.map((text) => {
      const [name = '', ...rest] = text.trim().split(':')
      return [name, joinLines(rest.join(':').replaceAll('readonly ', ''))]
    }),
  )
}

/** A type on one line, whether the source has it on one or on several. */
function joinLines(type: string): string {
  return type
    .trim()
    .replaceAll(/\s*\n\s*/g, '; ')
    .replaceAll('{; ', '{ ')
    .replaceAll('; }', ' }')
}

const generator: Generator = {
  name: 'hooks',
  async generate() {
    const payloads = await readPayloads()
    const rows = Object.entries(hookTable).map(([name, { meaning, loads }]) => {
      const payload = payloads.get(name)
      if (payload === undefined) throw new Error(`no payload of ${name} in packages/core/src/hooks.ts`)
      return [`\`${name}\``, meaning, `\`${payload}\``, loads === 'call' ? 'the call' : 'the operation']
    })
    const page = formatPage(
      generatedFrom('packages/core/src/host/hooks.ts'),
      '# Hooks',
      "A plugin taps a hook with `api.hook(name, tap, { stage })` and lists its name in the manifest's `hooks`. The first word of the name\nfixes the shape. Lower stages run first (default 0), taps of one stage in the order of registration. All taps may be async.",
      formatTable(
        ['first word', 'shape'],
        Object.entries(shapes).map(([word, shape]) => [`\`${word}…\``, shape]),
      ),
      '"Loaded before" says when holm imports the plugins that list the hook: before the hook is called, or before the operation begins.',
      formatTable(['hook', 'meaning', 'value, context, result', 'loaded before'], rows),
      'What a tap of `resolve…` or `select…` throws fails the operation with `HOLM_PLUGIN_HOOK`, naming the plugin and the hook.',
    )
    return { 'docs/reference/hooks.md': page }
  },
}

export default generator
