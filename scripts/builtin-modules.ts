import { builtinModules } from 'node:module'
import type { Options } from 'tsup'

type Plugin = NonNullable<Options['esbuildPlugins']>[number]

const identifier = /^[A-Za-z_$][\w$]*$/

/** Modules that cost milliseconds to load and that many commands never use: loaded by the first call of one of their functions. */
const lazyModules: ReadonlySet<string> = new Set(
  [
    'child_process',
    'crypto',
    'fs/promises',
    'http',
    'https',
    'net',
    'os',
    'readline',
    'readline/promises',
    'stream/promises',
    'timers/promises',
    'tls',
    'zlib',
  ].map((id) => `node:${id}`),
)

/**
 * Names that can be taken from a module of Node's. A getter such as `http.WebSocket` loads what it stands for (30 ms there),
 * so it stays behind the default export. Many getters turn into values at their first use, which some tool of the build has
 * made already: what keeps them from running is that names nobody imports are left out of the bundle, hence PURE below.
 */
function plainNames(builtin: object): string[] {
  return Object.entries(Object.getOwnPropertyDescriptors(builtin)).flatMap(([name, { get }]) =>
    get === undefined && name !== 'default' && identifier.test(name) ? [name] : [],
  )
}

/** The text of an ES module that stands for a module of Node's. */
export function renderBuiltin(id: string): string {
  const builtin = process.getBuiltinModule(id) as Record<string, unknown>
  const names = plainNames(builtin)
  if (lazyModules.has(id)) return renderLazy(id, builtin, names)
  return [
    `const builtin = process.getBuiltinModule(${JSON.stringify(id)})`,
    'const take = (name) => builtin[name]',
    'export default builtin',
    ...names.map((name) => `export const ${name} = /* @__PURE__ */ take('${name}')`),
  ].join('\n')
}

/** Functions load the module when they are called; classes and constants load it where they are imported, hence PURE. */
function renderLazy(id: string, builtin: Record<string, unknown>, names: readonly string[]): string {
  const isFunction = (name: string): boolean => typeof builtin[name] === 'function' && /^[a-z]/.test(name)
  return [
    'let builtin',
    `const load = () => (builtin ??= process.getBuiltinModule(${JSON.stringify(id)}))`,
    'const call = (name) => (...args) => load()[name](...args)',
    'const take = (name) => load()[name]',
    'const proxy = () => new Proxy({}, { get: (_, name) => load()[name] })',
    'export default /* @__PURE__ */ proxy()',
    ...names.map(
      (name) => `export const ${name} = /* @__PURE__ */ ${isFunction(name) ? 'call' : 'take'}('${name}')`,
    ),
  ].join('\n')
}

/**
 * Takes Node's own modules by `process.getBuiltinModule` instead of `import`: an import evaluates every getter of the
 * module to fill its namespace, which for node:http alone costs ten times as much as the module.
 */
export const builtinModulesPlugin: Plugin = {
  name: 'builtin-modules',
  setup(build) {
    const ids = new Set(builtinModules.filter((id) => !id.startsWith('_')))
    build.onResolve({ filter: /^(node:)?[a-z_/0-9]+$/ }, ({ path, kind }) => {
      const id = path.replace(/^node:/, '')
      // `require` makes no namespace, so it costs nothing more.
      if (kind === 'require-call' || !ids.has(id)) return undefined
      return { path: `node:${id}`, namespace: 'builtin', sideEffects: false }
    })
    build.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: renderBuiltin(path),
      loader: 'js',
    }))
  },
}
