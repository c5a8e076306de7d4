import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { setStage } from '../../../test/memory-host.ts'

it('is what its origin was: files, ports, project, blueprint, and nothing has changed for it', async () => {
  const stage = await setStage()
  stage.blueprint('base: host\nports: ["0:8080"]\n')
  const host = await stage.open()
  const { environment } = await host.up({ name: 'web', overlay: { env: { WHO: 'web', SAME: 'same' } } })
  await stage.shell(host, 'web', 'echo mine > file')
  await host.stop('web')
  const moved = join(stage.folder, 'web-2')
  renameSync(stage.project, moved)
  writeFileSync(join(moved, 'later'), 'later')
  const successor = { moved: { [stage.project]: moved }, env: { WHO: 'heir' } }
  const [result] = await host.clone('web', 'heir', { successor })
  expect(result).toMatchObject({
    environment: { status: 'stopped', project: moved, source: join(moved, 'holm.yaml') },
  })
  await host.destroy('web')
  const again = await host.up({ name: 'heir', cwd: moved })
  expect(again).toMatchObject({ outcome: 'started', changed: [] })
  expect(again.environment.ports).toEqual(environment.ports)
  expect(await stage.shell(host, 'heir', 'cat file workspace/later; echo $WHO $SAME')).toBe(
    'mine\nlaterheir same\n',
  )
})

it('cannot be had of what owns folders that go with it', async () => {
  const stage = await setStage()
  stage.blueprint('base: host\n')
  const host = await stage.open()
  await host.up()
  await host.clone('web', 'own', { copyFiles: true, start: false })
  const [result] = await host.clone('own', 'heir', { successor: { moved: {}, env: {} } })
  expect(result?.error).toMatchObject({ code: 'HOLM_USAGE', hint: expect.stringContaining('holm clone own') })
  await expect(host.list({ all: true })).resolves.toHaveLength(2)
})
