import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { assertBlueprintLayer } from './validate-native.ts'
import { detectTemplate, renderTemplate, templateNames } from './templates.ts'
import { parseDocument } from './parse-document.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holm-template-'))
})

afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function put(path: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await writeFile(join(folder, path), '')
}

describe('detectTemplate', () => {
  it.each([
    ['package.json', 'node'],
    ['pyproject.toml', 'python'],
    ['requirements.txt', 'python'],
    ['go.mod', 'go'],
    ['Cargo.toml', 'rust'],
    ['pom.xml', 'java'],
    ['build.gradle', 'java'],
    ['Dockerfile', 'dockerfile'],
  ])('%s is %s', async (file, template) => {
    await put(file)
    expect(await detectTemplate(folder)).toEqual({ template, reason: `found ${file}` })
  })

  it('prefers the language over tooling, and the language over a Dockerfile', async () => {
    await Promise.all(['package.json', 'go.mod', 'Dockerfile'].map(put))
    expect((await detectTemplate(folder)).template).toBe('go')
  })

  it('falls back to the smallest', async () => {
    expect(await detectTemplate(folder)).toMatchObject({ template: 'minimal' })
  })

  it.each(['.devcontainer.json', '.devcontainer/devcontainer.json', '.devcontainer/a/devcontainer.json'])(
    'has nothing to add to %s',
    async (file) => {
      await put(file)
      await expect(detectTemplate(folder)).rejects.toMatchObject({
        code: 'HOLM_USAGE',
        details: { devcontainer: join(file) },
      })
    },
  )
})

describe('renderTemplate', () => {
  it.each(templateNames)('%s is a valid blueprint, with its comments taken away too', async (template) => {
    const text = renderTemplate(template, { name: 'my-app' })
    const optional = text.replaceAll(/^( *)# ((?: *)[\w]+:|(?: +)\w+: )/gm, '$1$2')
    for (const source of [text, optional]) {
      const document = await parseDocument(source, 'holm.yaml')
      expect(await assertBlueprintLayer(document.value, 'holm.yaml', document)).toMatchObject({
        name: 'my-app',
      })
    }
    expect(optional).not.toBe(text)
  })

  it('names the near one', () => {
    expect(() => renderTemplate('pyhton', { name: 'x' })).toThrow(
      expect.objectContaining({ code: 'HOLM_USAGE', hint: 'Use "python".' }),
    )
  })
})
