import type { DatabaseSync } from 'node:sqlite'

/** JSON documents of one kind in one namespace, by key. */
export interface Items<T> {
  get(key: string): T | undefined
  /** Those whose key begins with `prefix`, by key. */
  list(prefix?: string): T[]
  put(key: string, item: T): void
  remove(key: string): void
}

export function createItems<T>(database: DatabaseSync, namespace: string, kind: string): Items<T> {
  const parse = (row: unknown): T => JSON.parse(String((row as { item: unknown }).item)) as T
  const where = 'namespace = ? AND kind = ?'
  return {
    get: (key) => {
      const row = database
        .prepare(`SELECT item FROM items WHERE ${where} AND key = ?`)
        .get(namespace, kind, key)
      return row === undefined ? undefined : parse(row)
    },
    list: (prefix = '') =>
      database
        .prepare(`SELECT item FROM items WHERE ${where} AND substr(key, 1, ?) = ? ORDER BY key`)
        .all(namespace, kind, prefix.length, prefix)
        .map(parse),
    put: (key, item) =>
      void database
        .prepare(
          'INSERT OR REPLACE INTO items (namespace, kind, key, item, updated_at) VALUES (?, ?, ?, ?, ?)',
        )
        .run(namespace, kind, key, JSON.stringify(item), new Date().toISOString()),
    remove: (key) =>
      void database.prepare(`DELETE FROM items WHERE ${where} AND key = ?`).run(namespace, kind, key),
  }
}
