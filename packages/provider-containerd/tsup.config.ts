import { preset } from '../../scripts/tsup-preset.ts'

export default preset(
  { index: 'src/index.ts' },
  {
    // One chunk, loaded by the first call: unbundled, the gRPC client reads some 150 files.
    noExternal: ['@grpc/grpc-js', '@grpc/proto-loader', 'tar-stream'],
    // Bundled CommonJS asks for node's own modules with `require`, which ES modules lack.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url); import { dirname as __pathDirname } from 'node:path'; import { fileURLToPath as __fileURLToPath } from 'node:url'; const __filename = __fileURLToPath(import.meta.url); const __dirname = __pathDirname(__filename);",
    },
  },
)
