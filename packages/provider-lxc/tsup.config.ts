import { preset } from '../../scripts/tsup-preset.ts'

export default preset(
  { index: 'src/index.ts' },
  {
    noExternal: ['ws'],
    // Bundled CommonJS asks for node's own modules with `require`, which ES modules lack.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  },
)
