import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describeProvider, type ProviderKitOptions } from '@holm/testkit'
import { createSandboxProvider } from '../src/index.ts'
import { seatbeltTraits } from '../src/macos/provider.ts'
import { caller, manifest, runner } from './subject.ts'

/** Checks the words that it gets and runs the program without any isolation: this machine has no Seatbelt. */
const standIn = `#!/bin/sh
[ "$1" = -p ] || exit 64
case $2 in "(version 1)"*) ;; *) exit 65 ;; esac
shift 2
exec "$@"
`

const isolation = 'the stand-in for sandbox-exec isolates nothing'
const skip: ProviderKitOptions['skip'] = {
  'creation: a missing base is refused and leaves nothing': 'the only base is this machine itself',
  'mounts: a read-only bind mount cannot be written': isolation,
  "network: network 'none' has no route to anywhere": isolation,
  'exec: cwd is kept, with awkward characters': 'nothing is mounted on macOS: a folder is at another path',
  'exec: a numeric user is applied': 'on macOS a sandbox has one user',
}

describeProvider(`sandbox (macOS with a stand-in for sandbox-exec, ${caller.name})`, {
  create: async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'holm-seatbelt-'))
    const sandboxExec = path.join(folder, 'sandbox-exec')
    await writeFile(sandboxExec, standIn)
    await chmod(sandboxExec, 0o755)
    const paths = { data: path.join(folder, 'da ta'), cache: path.join(folder, 'cache') }
    const options = { paths, namespace: 'test', env: process.env, caller, sandboxExec }
    return {
      provider: createSandboxProvider({ ...options, platform: 'darwin' }),
      context: { runner },
      dispose: () => rm(folder, { recursive: true, force: true }),
    }
  },
  base: { kind: 'host' },
  folder: caller.home,
  // The package's own manifest describes Linux.
  manifest: { ...manifest, facets: ['ports'], traits: seatbeltTraits },
  skip,
})
