import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Options } from 'tsup'

type Plugin = NonNullable<Options['esbuildPlugins']>[number]

/**
 * Bundles each of these packages into a file of its own, `dist/aside/<package>.js`, when it is imported dynamically. A
 * bundle is read and decoded whole at every start: what most commands never need should not be in it.
 */
export function setAside(packages: readonly string[]): Plugin {
  return {
    name: 'set-aside',
    setup(build) {
      const folders = new Map<string, string>()
      build.onResolve({ filter: /./ }, ({ path, kind, resolveDir }) => {
        if (kind !== 'dynamic-import' || !packages.includes(path)) return undefined
        folders.set(path, resolveDir)
        return { path: `./aside/${fileOf(path)}`, external: true }
      })
      build.onEnd(async () => {
        const { entryPoints: _entries, footer: _footer, plugins, outdir, ...options } = build.initialOptions
        const target = join(outdir ?? dirname(options.outfile ?? 'dist/x'), 'aside')
        for (const [name, resolveDir] of folders) {
          await build.esbuild.build({
            ...options,
            format: 'esm',
            banner: { js: requireBanner },
            define: withoutMeta(options.define),
            // An .mjs file sees CommonJS as Node shows it.
            stdin: {
              contents: await renderAside(name, resolveDir),
              resolveDir,
              sourcefile: 'aside.mjs',
              loader: 'js',
            },
            plugins: (plugins ?? []).filter(
              (plugin) => !['script-bundle', 'set-aside', 'tsup:postbuild'].includes(plugin.name),
            ),
            outfile: join(target, fileOf(name)),
            write: true,
            metafile: false,
          })
        }
      })
    },
  }
}

/** Bundled CommonJS asks for Node's own modules with `require`, which ES modules lack. */
export const requireBanner =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);"

/** What stands for `import.meta` in a script is the thing itself in a module. */
function withoutMeta(define: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(define).filter(([name]) => !name.startsWith('import.meta')))
}

function fileOf(name: string): string {
  return `${name.replace(/^@/, '').replaceAll('/', '-')}.js`
}

/** All names by name: of CommonJS, esbuild alone would pass on the default export only. */
async function renderAside(name: string, resolveDir: string): Promise<string> {
  const path = createRequire(join(resolveDir, 'x.js')).resolve(name)
  const module = (await import(pathToFileURL(path).href)) as Record<string, unknown>
  const names = Object.keys(module).filter((key) => key !== 'default' && /^[A-Za-z_$][\w$]*$/.test(key))
  return [
    `import * as all from ${JSON.stringify(name)}`,
    `export const { ${names.join(', ')} } = all`,
    'export default all.default',
  ].join('\n')
}
