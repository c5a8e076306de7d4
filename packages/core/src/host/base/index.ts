export { catalogue } from './catalogue.ts'
export { createBaseStore } from './store.ts'
export type { BaseStore } from './store.ts'
