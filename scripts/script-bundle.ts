import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { init, parse } from 'es-module-lexer'
import type { Options } from 'tsup'

type Plugin = NonNullable<Options['esbuildPlugins']>[number]

/** As long as `import`, so that the source map stays true. */
const loader = '__load'

const meta = ['url', 'dirname', 'resolve'].map((name) => [`import.meta.${name}`, `__meta.${name}`] as const)

/**
 * Bundles `entry` once more, whole, into `<name>.cjs`: the text of one function, which is given what a script has no words of its own
 * for, `import.meta` and `import()`. V8 can keep the compiled code of a script from one run to the next, as it cannot with a module
 * (packages/cli/src/kept-code.ts is the other half).
 */
export function scriptBundle(name: string, entry: string): Plugin {
  return {
    name: 'script-bundle',
    setup(build) {
      build.onEnd(async () => {
        const { outdir, outfile, plugins = [], ...options } = build.initialOptions
        const own = new Set(['script-bundle', 'tsup:postbuild'])
        const { outputFiles } = await build.esbuild.build({
          ...options,
          entryPoints: [entry],
          outfile: join(outdir ?? dirname(outfile ?? 'dist/x'), `${name}.cjs`),
          format: 'cjs',
          splitting: false,
          // The inner function is for 'use strict', which one with such parameters may not say.
          banner: { js: `(function ({ exports, require, module, ${loader}, __meta }) { (function () {` },
          footer: { js: '})() })' },
          define: { ...options.define, ...Object.fromEntries(meta) },
          plugins: plugins.filter((plugin) => !own.has(plugin.name)),
          // What is read whole at every start had better be short; names stay, as stack traces are read by people.
          minifyWhitespace: true,
          minifySyntax: true,
          metafile: false,
          write: false,
        })
        await init
        for (const { path, text } of outputFiles) {
          // tsup makes the folder when it writes its own files, after this.
          mkdirSync(dirname(path), { recursive: true })
          writeFileSync(path, path.endsWith('.cjs') ? importByLoader(text) : text)
        }
      })
    },
  }
}

function importByLoader(code: string): string {
  const [imports] = parse(code)
  return imports.reduce(
    // `d` is zero or more for `import()`, which begins at `ss`.
    (text, { d, ss }) => (d < 0 ? text : text.slice(0, ss) + loader + text.slice(ss + loader.length)),
    code,
  )
}
