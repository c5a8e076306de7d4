import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { HolmError } from '@holm/core'
import type { Runner } from '@holm/core'

/** The keys of one user's holm: who enters, and what answers. Neither is anything else's. */
export interface SshKeys {
  /** Private key of the user, a file that ssh reads. */
  readonly identity: string
  /** Its public half. */
  readonly authorized: string
  /** Private key of every environment: they are reached through this machine's own pipes, where nobody can stand between. */
  readonly hostKey: string
  /** File that names its public half. */
  readonly knownHosts: string
}

/** What ssh is told environments are called when it looks for their key. */
export const hostAlias = 'holm-environment'

/** The keys in a folder, made at first use. Two holms at once make one set: a folder is renamed, and the first wins. */
export async function loadKeys(folder: string, runner: Runner): Promise<SshKeys> {
  if (!existsSync(join(folder, 'known_hosts'))) await makeKeys(folder, runner)
  return {
    identity: join(folder, 'id_ed25519'),
    authorized: readFileSync(join(folder, 'id_ed25519.pub'), 'utf8').trim(),
    hostKey: readFileSync(join(folder, 'host_ed25519'), 'utf8').trim(),
    knownHosts: join(folder, 'known_hosts'),
  }
}

async function makeKeys(folder: string, runner: Runner): Promise<void> {
  const parent = join(folder, '..')
  mkdirSync(parent, { recursive: true })
  const draft = mkdtempSync(join(parent, '.ssh-'))
  try {
    chmodSync(draft, 0o700)
    for (const name of ['id_ed25519', 'host_ed25519']) await generate(join(draft, name), runner)
    const [type = '', key = ''] = readFileSync(join(draft, 'host_ed25519.pub'), 'utf8').split(' ')
    writeFileSync(join(draft, 'known_hosts'), `${hostAlias} ${type} ${key}\n`, { mode: 0o600 })
    rename(draft, folder)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

async function generate(path: string, runner: Runner): Promise<void> {
  const { code, stderr } = await runner.run([
    'ssh-keygen',
    '-q',
    '-t',
    'ed25519',
    '-N',
    '',
    '-C',
    'holm',
    '-f',
    path,
  ])
  if (code === 0) return
  throw new HolmError('HOLM_COMMAND_FAILED', `ssh-keygen ended with ${code}: ${stderr.trim()}`, {
    hint: 'Run it by hand to see more: ssh-keygen -t ed25519',
  })
}

function rename(draft: string, folder: string): void {
  try {
    renameSync(draft, folder)
  } catch (error) {
    // Another holm was quicker: its keys are the ones.
    if (!existsSync(join(folder, 'known_hosts'))) throw error
  }
}
