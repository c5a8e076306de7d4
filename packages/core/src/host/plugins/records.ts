import type { PluginRecords } from '../../plugin.ts'
import type { State } from '../state/index.ts'

/** Opens the state at first use: registering a plugin must not. */
export function pluginRecords<Item>(
  state: () => State,
  { id, kind }: { readonly id: string; readonly kind: string },
): PluginRecords<Item> {
  const items = () => state().itemsOf<Item>(`plugin/${id}/${kind}`)
  return {
    get: (key) => items().get(key),
    list: () => items().list(),
    put: (key, item) => items().put(key, item),
    remove: (key) => items().remove(key),
    hold: (key, operation, work) => state().locks.hold(`${kind} ${key}`, operation, work),
  }
}
