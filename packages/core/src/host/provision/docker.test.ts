import { expect, it } from 'vitest'
import { createRecorder, createScriptedInside } from '../../../test/support/inside.ts'
import { provisionWith } from './provision.ts'
import type { InsideResult } from './inside.ts'

const spec = {
  base: { kind: 'image', reference: 'x' },
  env: {},
  provision: { packages: [], tools: {}, setup: ['prepare'], postInstall: [], docker: true },
} as const

/** A machine with that manager, where `has` tells what was installed by then. */
async function run(
  manager: string,
  has: (program: string, installed: string) => boolean,
  install?: Partial<InsideResult>,
) {
  let installed = ''
  const inside = createScriptedInside((command, { argv }) => {
    if (command.includes('uid=')) return { stdout: `uid=0\nhas=${manager}\nlists=yes\n` }
    if (command.includes('command -v "$name"'))
      return { code: argv.slice(4).every((program) => has(program, installed)) ? 0 : 1 }
    if (argv.includes('install') || argv.includes('add')) {
      installed += ` ${argv.join(' ')}`
      return install
    }
    return undefined
  })
  const reporter = createRecorder()
  const outcome = provisionWith(spec, { inside, reporter, retryDelayMs: 0 })
  return { outcome, reporter, installed: () => installed }
}

it('installs what the distribution calls its engine, after the scripts that may bring another', async () => {
  const { outcome, reporter, installed } = await run('apk', (_, by) => by.includes(' docker'))
  await outcome
  expect(installed()).toMatch(/apk add .* docker$/)
  expect(reporter.steps).toEqual(['inspect', 'setup', 'docker engine'])
})

it('takes the client besides where it is a package of its own', async () => {
  const { outcome, installed } = await run('apt-get', (program, by) =>
    by.includes(program === 'dockerd' ? 'docker.io' : 'docker-cli'),
  )
  await outcome
  expect(installed()).toMatch(/-- docker\.io ca-certificates kmod apt-get .* -- docker-cli$/)
})

it('leaves an engine that is there alone', async () => {
  const { outcome, reporter, installed } = await run('apt-get', () => true)
  await outcome
  expect(installed()).toBe('')
  expect(reporter.steps).toContain('skip docker engine: it is installed')
})

it('says which distributions have it where this one has not', async () => {
  const { outcome } = await run('dnf', () => false, { code: 1, stderr: 'No match for argument: moby-engine' })
  await expect(outcome).rejects.toMatchObject({
    code: 'HOLM_COMMAND_FAILED',
    message: expect.stringContaining('moby-engine') as string,
    hint: expect.stringContaining('Use a base whose distribution has Docker') as string,
  })
})
