// A whole life of an environment in a process of its own, which another test starts as an ordinary user. Prints what it saw as JSON.
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Mount } from '@holm/core'
import { collect, createSpec } from '@holm/testkit'
import { context, loadRootfs, providerOver } from './subject.ts'

const top = await mkdtemp(path.join(tmpdir(), 'holm-qemu-user-'))
const source = await mkdtemp(path.join(tmpdir(), 'project-'))
const provider = providerOver(path.join(top, 'data'), path.join(tmpdir(), 'cache'))
const { base } = loadRootfs()
if (base === undefined) throw new Error('no base')
const mounts: readonly Mount[] = [
  { type: 'bind', source, target: '/workspace', readonly: false },
  { type: 'volume', source: 'kept', target: '/mnt/kept', readonly: false },
]
const probe = await provider.probe(context())
await provider.create(createSpec({ name: 'box', base, mounts }), context())
await provider.start('box', context())
const say = async (script: string): Promise<string> => {
  const { text, errorText } = await collect(
    await provider.exec('box', { argv: ['sh', '-c', script], cwd: '/' }, context()),
  )
  return `${text}${errorText}`.trim()
}
const seen = {
  id: await say('id -u'),
  owners: await say('stat -c "%U:%G %a" /usr/bin/passwd /etc/shadow /root /tmp'),
  workspace: await say('stat -c %u /workspace; touch /workspace/made && stat -c %u /workspace/made'),
  volume: await say(
    'touch /mnt/kept/a && chown 1234:99 /mnt/kept/a && chmod 600 /mnt/kept/a && stat -c "%u:%g %a" /mnt/kept/a',
  ),
}
await provider.stop('box', { graceMs: 2000 }, context())
await provider.remove('box', { volumes: true }, context())
process.stdout.write(JSON.stringify({ uid: process.getuid?.(), usable: probe.usable, seen }))
