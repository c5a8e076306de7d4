import { readFile } from 'node:fs/promises'
import { HolmError } from '@holm/core'
import { resolveInside } from './rootfs-path.ts'

export interface ResolvedUser {
  readonly uid: number
  readonly gid: number
  readonly additionalGids: readonly number[]
  readonly home: string
}

export interface UserFiles {
  readonly passwd: string
  readonly group: string
}

/** Reads /etc/passwd and /etc/group of a root filesystem; empty for those that are not there. */
export async function loadUserFiles(root: string): Promise<UserFiles> {
  const read = async (file: string): Promise<string> => {
    const real = await resolveInside(root, file)
    return real === undefined ? '' : readFile(real, 'utf8').catch(() => '')
  }
  const [passwd, group] = await Promise.all([read('/etc/passwd'), read('/etc/group')])
  return { passwd, group }
}

/** Pure: "name", "1000", "name:group" or "1000:1000" as numbers. A number needs no entry, a name does: undefined otherwise. */
export function parseUser(wanted: string, files: UserFiles): ResolvedUser | undefined {
  const [user = '', group] = wanted.split(':')
  const entry = findUser(user, files) ?? (/^\d+$/.test(user) ? ['', '', user, '0', '', '/'] : undefined)
  if (!entry) return undefined
  const [name = '', , uid, ownGid, , home] = entry
  const gid = group === undefined ? Number(ownGid) : groupId(group, files)
  if (gid === undefined) return undefined
  const additionalGids = group === undefined ? memberships(name, gid, files) : []
  return { uid: Number(uid), gid, additionalGids, home: home === undefined || home === '' ? '/' : home }
}

/** The fields of its line in /etc/passwd. */
function findUser(user: string, { passwd }: UserFiles): readonly string[] | undefined {
  const lines = passwd.split('\n').map((line) => line.split(':'))
  return (
    lines.find(([name]) => name === user && user !== '') ??
    lines.find(([, , uid]) => uid === user && user !== '')
  )
}

function groupId(group: string, { group: text }: UserFiles): number | undefined {
  if (/^\d+$/.test(group)) return Number(group)
  const entry = text
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === group)
  return entry ? Number(entry[2]) : undefined
}

function memberships(name: string, own: number, { group }: UserFiles): readonly number[] {
  return group
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([, , , members]) => name !== '' && members?.split(',').includes(name))
    .map(([, , gid]) => Number(gid))
    .filter((gid) => Number.isInteger(gid) && gid !== own)
}

export function unknownUser(wanted: string, name: string): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_FAILED', `there is no user "${wanted}" in "${name}"`, {
    hint: 'Name a user that the base has, or create it while provisioning.',
    details: { user: wanted },
  })
}
