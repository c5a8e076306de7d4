import { preset } from '../../scripts/tsup-preset.ts'

/**
 * What oclif's parser pulls in and never uses here: the printing of its own errors, with help and spinners behind it,
 * and the list of flags for its own help.
 */
const unusedByParser = [
  { importer: /@oclif[+/]core.*[\\/]lib[\\/]errors[\\/]index\.js$/, path: './handle' },
  { importer: /@oclif[+/]core.*[\\/]lib[\\/]parser[\\/]index\.js$/, path: './help' },
] as const

export default preset(
  { index: 'src/index.ts' },
  {
    // The number of files opened is what start-up costs: the CLI, the host and oclif's parser become one file, in which
    // a dynamic import still runs its module at first use only. Plugins stay packages of their own, found by manifest.
    noExternal: [/^@holm\/core/, '@oclif/core', 'yaml'],
    external: ['@lydell/node-pty'],
    splitting: false,
    // oclif is CommonJS: its `require` calls have to survive inside an ES module.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    esbuildPlugins: [
      {
        name: 'unused-by-parser',
        setup(build) {
          build.onResolve({ filter: /^\.\/(handle|help)$/ }, ({ path, importer }) =>
            unusedByParser.some((unused) => unused.path === path && unused.importer.test(importer))
              ? { path, namespace: 'unused' }
              : undefined,
          )
          build.onLoad({ filter: /.*/, namespace: 'unused' }, () => ({
            contents: 'module.exports = {}',
            loader: 'js',
          }))
        },
      },
    ],
    esbuildOptions: (options) => {
      options.conditions = ['holm-source', 'import', 'node']
      // Names stay: stack traces are read by people.
      options.minifyWhitespace = true
      options.minifySyntax = true
    },
  },
)
