import { scriptBundle } from '../../scripts/script-bundle.ts'
import { requireBanner, setAside } from '../../scripts/set-aside.ts'
import { preset } from '../../scripts/tsup-preset.ts'

/**
 * What oclif's parser pulls in and never uses here: the printing of its own errors, with colours, lists, spinners and
 * help behind it. Its errors are read by their fields, and told in holm's words.
 */
const unusedByParser: readonly { readonly importer: RegExp; readonly paths: readonly string[] }[] = [
  {
    importer: /@oclif[+/]core.*[\\/]lib[\\/]errors[\\/]index\.js$/,
    paths: ['./handle', './error', './exit', './warn', './errors/module-load'],
  },
  {
    importer: /@oclif[+/]core.*[\\/]lib[\\/]errors[\\/]errors[\\/]cli\.js$/,
    paths: ['clean-stack', 'indent-string', 'wrap-ansi', '../../screen', '../../ux/theme'],
  },
  { importer: /@oclif[+/]core.*[\\/]lib[\\/]parser[\\/]index\.js$/, paths: ['./help'] },
  { importer: /@oclif[+/]core.*[\\/]lib[\\/]parser[\\/]parse\.js$/, paths: ['../logger', 'node:readline'] },
  { importer: /@oclif[+/]core.*[\\/]lib[\\/]parser[\\/]errors\.js$/, paths: ['../ux/list', '../ux/theme'] },
]

/** Texts are built with these even when nobody reads them: they give back what they got. */
const plainText = 'module.exports = { __esModule: true, default: () => "", colorize: (_, text) => text }'

export default preset(
  { start: 'src/start.ts' },
  {
    // The number of files opened is what start-up costs: the CLI, the host and oclif's parser become one file, in which
    // a dynamic import still runs its module at first use only. Plugins stay packages of their own, found by manifest.
    noExternal: [/^@holm\/core/, /^@noble\/hashes/, '@oclif/core', 'yaml'],
    external: ['@lydell/node-pty'],
    splitting: false,
    banner: { js: requireBanner },
    esbuildPlugins: [
      scriptBundle('index', 'src/index.ts'),
      setAside(['@oclif/core/help', 'cosmiconfig', 'smol-toml', 'yaml']),
      {
        name: 'unused-by-parser',
        setup(build) {
          build.onResolve({ filter: /./ }, ({ path, importer }) =>
            unusedByParser.some((unused) => unused.importer.test(importer) && unused.paths.includes(path))
              ? { path, namespace: 'unused' }
              : undefined,
          )
          build.onLoad({ filter: /.*/, namespace: 'unused' }, () => ({
            contents: plainText,
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
