import { preset } from '../../scripts/tsup-preset.ts'

export default preset(
  { index: 'src/index.ts' },
  {
    // The number of files opened is what start-up costs, so everything on the way to a command is bundled;
    // plugins stay packages of their own, found by their manifests.
    noExternal: [/^@holm\/core/, '@oclif/core', 'yaml', 'zod'],
    external: ['@lydell/node-pty'],
    splitting: true,
    // oclif is CommonJS: its `require` calls have to survive inside an ES module.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    esbuildOptions: (options) => {
      options.conditions = ['holm-source', 'import', 'node']
    },
  },
)
