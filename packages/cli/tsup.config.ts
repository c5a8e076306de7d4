import { preset } from '../../scripts/tsup-preset.ts'

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
    esbuildOptions: (options) => {
      options.conditions = ['holm-source', 'import', 'node']
      // Names stay: stack traces are read by people.
      options.minifyWhitespace = true
      options.minifySyntax = true
    },
  },
)
