/**
 * Ids of an ordinary user's container. Its root is the user itself: files of a mounted folder have one owner on both sides, and no folder on the way
 * has to be opened for strangers. All other ids come from the ranges that /etc/subuid and /etc/subgid give the user.
 */
export interface IdMap {
  readonly uid: number
  readonly gid: number
  readonly uids: IdRange
  readonly gids: IdRange
}

export interface IdRange {
  readonly start: number
  readonly count: number
}

/** The largest range of a user in /etc/subuid or /etc/subgid; lines name the user or its number. */
export function parseRange(
  text: string,
  user: { readonly name: string; readonly uid: number },
): IdRange | undefined {
  const ranges = text.split('\n').flatMap((line): IdRange[] => {
    const [owner, start, count] = line.trim().split(':')
    if (owner !== user.name && owner !== String(user.uid)) return []
    const range = { start: Number(start), count: Number(count) }
    return range.start > 0 && range.count > 0 ? [range] : []
  })
  return ranges.toSorted((one, other) => other.count - one.count)[0]
}

/** Words that run what follows as root of the user's own id range; none for root itself. */
export function asInnerRoot(map: IdMap | undefined): readonly string[] {
  if (map === undefined) return []
  const maps = [
    `u:0:${map.uid}:1`,
    `u:1:${map.uids.start}:${map.uids.count}`,
    `g:0:${map.gid}:1`,
    `g:1:${map.gids.start}:${map.gids.count}`,
  ]
  return ['lxc-usernsexec', ...maps.flatMap((each) => ['-m', each]), '--']
}

/** Lines of the container's configuration. */
export function idMapLines(map: IdMap | undefined): readonly string[] {
  if (map === undefined) return []
  return [
    `lxc.idmap = u 0 ${map.uid} 1`,
    `lxc.idmap = u 1 ${map.uids.start} ${map.uids.count}`,
    `lxc.idmap = g 0 ${map.gid} 1`,
    `lxc.idmap = g 1 ${map.gids.start} ${map.gids.count}`,
  ]
}
