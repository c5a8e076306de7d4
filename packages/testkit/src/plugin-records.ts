import type { PluginRecords } from '@holm/core'

/** A plugin's documents, in memory, for one process: what `api.records` gives where there is no host. */
export function createPluginRecords<Item>(): PluginRecords<Item> {
  const items = new Map<string, Item>()
  return {
    get: (key) => items.get(key),
    list: () => [...items.keys()].toSorted().map((key) => items.get(key) as Item),
    put: (key, item) => void items.set(key, structuredClone(item)),
    remove: (key) => void items.delete(key),
    hold: (_key, _operation, work) => work(),
  }
}
