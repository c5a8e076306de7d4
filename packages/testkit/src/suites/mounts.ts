import assert from 'node:assert/strict'
import { mkdtemp, mkdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Mount, Traits } from '@holm/core'
import type { Kit, Suite } from '../kit/kit.ts'

const stop = { graceMs: 2000 }

export const mountsSuite: Suite = {
  name: 'mounts',
  checks: {
    'a bind mount is one folder on both sides': async (kit) => {
      needs(kit, 'bind')
      const source = await makeFolder(kit, 'plain')
      await writeFile(join(source, 'from-here'), 'here')
      const { name, cwd } = await startMounted(kit, {
        type: 'bind',
        source,
        target: '/mnt/bound',
        readonly: false,
      })
      assert.equal(await kit.output(name, { argv: ['cat', 'from-here'], cwd }), 'here')
      await kit.output(name, { argv: ['sh', '-c', 'printf inside > from-inside'], cwd })
      assert.equal(await readFile(join(source, 'from-inside'), 'utf8'), 'inside')
    },
    'a bind mount survives stop and start': async (kit) => {
      needs(kit, 'bind')
      const source = await makeFolder(kit, 'again')
      await writeFile(join(source, 'file'), 'still here')
      const { name, cwd } = await startMounted(kit, {
        type: 'bind',
        source,
        target: '/mnt/bound',
        readonly: false,
      })
      await kit.provider.stop(name, stop, kit.context())
      await kit.provider.start(name, kit.context())
      assert.equal(await kit.output(name, { argv: ['cat', 'file'], cwd }), 'still here')
    },
    'a bind mount takes spaces, quotes and unicode': async (kit) => {
      needs(kit, 'bind')
      const source = await makeFolder(kit, `it's "my" folder: ünïcode, with=signs`)
      const target = `/mnt/it's "a" pläce with spaces`
      const { name } = await startMounted(kit, { type: 'bind', source, target, readonly: false })
      await kit.output(name, { argv: ['sh', '-c', 'printf inside > file'], cwd: target })
      assert.equal(await readFile(join(source, 'file'), 'utf8'), 'inside')
    },
    'a read-only bind mount cannot be written': async (kit) => {
      needs(kit, 'bind')
      const source = await makeFolder(kit, 'read-only')
      await writeFile(join(source, 'file'), 'before')
      const { name, cwd } = await startMounted(kit, {
        type: 'bind',
        source,
        target: '/mnt/fixed',
        readonly: true,
      })
      assert.equal(await kit.output(name, { argv: ['cat', 'file'], cwd }), 'before')
      for (const script of ['echo x > file', 'echo x > new', 'rm file']) {
        const { code } = await kit.run(name, { argv: ['sh', '-c', script], cwd })
        assert.notEqual(code, 0, script)
      }
      assert.equal(await readFile(join(source, 'file'), 'utf8'), 'before')
    },
    'remove leaves the folder of a bind mount alone': async (kit) => {
      needs(kit, 'bind')
      const source = await makeFolder(kit, 'precious')
      await writeFile(join(source, 'file'), 'precious')
      const { name } = await startMounted(kit, {
        type: 'bind',
        source,
        target: '/mnt/bound',
        readonly: false,
      })
      await kit.provider.remove(name, { volumes: true }, kit.context())
      assert.equal(await readFile(join(source, 'file'), 'utf8'), 'precious')
    },
    'tmpfs can be written and is empty after stop and start': async (kit) => {
      needs(kit, 'tmpfs')
      const mount: Mount = { type: 'tmpfs', target: '/mnt/fleeting', sizeBytes: 16 * 1024 * 1024 }
      const { name, cwd } = await startMounted(kit, mount)
      assert.equal(await kit.output(name, { argv: ['sh', '-c', 'echo x > file; ls -A'], cwd }), 'file\n')
      await kit.provider.stop(name, stop, kit.context())
      await kit.provider.start(name, kit.context())
      assert.equal(await kit.output(name, { argv: ['ls', '-A'], cwd }), '')
    },
    'a named volume survives remove until it is asked for': async (kit) => {
      needs(kit, 'volume')
      const mount: Mount = {
        type: 'volume',
        source: `${kit.name()}-vol`,
        target: '/mnt/kept',
        readonly: false,
      }
      const first = await startMounted(kit, mount)
      await kit.output(first.name, { argv: ['sh', '-c', 'printf kept > file'], cwd: first.cwd })
      await kit.provider.remove(first.name, { volumes: false }, kit.context())
      const second = await startMounted(kit, mount)
      assert.equal(await kit.output(second.name, { argv: ['cat', 'file'], cwd: second.cwd }), 'kept')
      await kit.provider.remove(second.name, { volumes: true }, kit.context())
      const third = await startMounted(kit, mount)
      assert.equal(await kit.output(third.name, { argv: ['ls', '-A'], cwd: third.cwd }), '')
    },
    'a volume in use by another environment is not removed': async (kit) => {
      needs(kit, 'volume')
      const mount: Mount = {
        type: 'volume',
        source: `${kit.name()}-vol`,
        target: '/mnt/shared',
        readonly: false,
      }
      const first = await startMounted(kit, mount)
      const second = await startMounted(kit, mount)
      await kit.output(first.name, { argv: ['sh', '-c', 'printf shared > file'], cwd: first.cwd })
      await kit.provider.remove(first.name, { volumes: true }, kit.context())
      assert.equal(await kit.output(second.name, { argv: ['cat', 'file'], cwd: second.cwd }), 'shared')
    },
  },
}

function needs(kit: Kit, type: Traits['mounts'][number]): void {
  if (!kit.provider.traits.mounts.includes(type)) kit.skip(`traits.mounts has no ${type}`)
}

/** A folder of this machine with an awkward name, removed after the check. Anybody may write: the user inside may be another. */
async function makeFolder(kit: Kit, name: string): Promise<string> {
  const parent = await realpath(await mkdtemp(join(tmpdir(), 'holm-mount-')))
  kit.onTidy(() => rm(parent, { recursive: true, force: true }))
  await mkdir(join(parent, name))
  return join(parent, name)
}

async function startMounted(kit: Kit, mount: Mount): Promise<{ name: string; cwd: string }> {
  return { name: await kit.start({ mounts: [mount] }), cwd: mount.target }
}
