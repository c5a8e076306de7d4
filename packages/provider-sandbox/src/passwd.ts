import { HolmError } from '@holm/core'

export interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
  readonly shell: string
}

export function parsePasswd(text: string): Account[] {
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length >= 7)
    .map(([name = '', , uid, gid, , home = '/', shell = '']) => ({
      name,
      uid: Number(uid),
      gid: Number(gid),
      home: home || '/',
      shell: shell || '/bin/sh',
    }))
}

export function parseGroups(text: string): ReadonlyMap<string, number> {
  const lines = text.split('\n').map((line) => line.split(':'))
  return new Map(
    lines.filter((fields) => fields.length >= 3).map(([name = '', , gid]) => [name, Number(gid)]),
  )
}

export interface AccountFiles {
  readonly passwd: string
  readonly group: string
}

/** "name", "uid", "name:group" or "uid:gid" to ids. HOLM_USAGE for a name that the environment does not know. */
export function resolveAccount(user: string, files: AccountFiles): Account {
  const [name = '', group] = user.split(':')
  const numeric = /^\d+$/.test(name)
  const known = parsePasswd(files.passwd).find((entry) =>
    numeric ? entry.uid === Number(name) : entry.name === name,
  )
  if (known === undefined && !numeric) throw unknown('user', name)
  const account = known ?? { name, uid: Number(name), gid: Number(name), home: '/', shell: '/bin/sh' }
  return group === undefined || group === '' ? account : { ...account, gid: resolveGroup(group, files.group) }
}

function resolveGroup(group: string, text: string): number {
  if (/^\d+$/.test(group)) return Number(group)
  const gid = parseGroups(text).get(group)
  if (gid === undefined) throw unknown('group', group)
  return gid
}

function unknown(kind: string, name: string): HolmError {
  return new HolmError('HOLM_USAGE', `the environment has no ${kind} "${name}"`, {
    hint: `Name a ${kind} that its /etc/${kind === 'user' ? 'passwd' : 'group'} lists, or use a number.`,
  })
}
