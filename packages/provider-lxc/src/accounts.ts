import { HolmError } from '@holm/core'

export interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
  readonly shell: string
  /** Further groups that /etc/group lists the user in. */
  readonly groups: readonly number[]
}

export interface AccountFiles {
  readonly passwd: string
  readonly group: string
}

const rowsOf = (text: string): string[][] =>
  text
    .split('\n')
    .filter((line) => line.includes(':'))
    .map((line) => line.split(':'))

/** "name", "uid", "name:group" or "uid:gid". HOLM_USAGE for a name that the environment does not know. */
export function resolveAccount(user: string, files: AccountFiles): Account {
  const [name = '', group = ''] = user.split(':')
  const numeric = /^\d+$/.test(name)
  const row = rowsOf(files.passwd).find((fields) => fields[numeric ? 2 : 0] === name)
  if (row === undefined && !numeric) throw unknown('user', name)
  return describe(row ?? [name, '', name, name], { group, text: files.group })
}

function describe(
  row: readonly string[],
  { group, text }: { readonly group: string; readonly text: string },
): Account {
  const [name = '', , uid, gid, , home, shell] = row
  return {
    name,
    uid: Number(uid),
    gid: group === '' ? Number(gid) : resolveGroup(group, text),
    home: home || '/',
    shell: shell || '/bin/sh',
    groups: groupsOf(name, text),
  }
}

function groupsOf(login: string, text: string): number[] {
  return rowsOf(text).flatMap(([, , gid, members = '']) =>
    members.trim().split(',').includes(login) ? [Number(gid)] : [],
  )
}

function resolveGroup(group: string, text: string): number {
  if (/^\d+$/.test(group)) return Number(group)
  const gid = rowsOf(text).find(([name]) => name === group)?.[2]
  if (gid === undefined) throw unknown('group', group)
  return Number(gid)
}

function unknown(kind: string, name: string): HolmError {
  return new HolmError('HOLM_USAGE', `the environment has no ${kind} "${name}"`, {
    hint: `Name a ${kind} that its /etc/${kind === 'user' ? 'passwd' : 'group'} lists, or use a number.`,
  })
}
