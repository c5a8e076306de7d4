import { preset } from '../../scripts/tsup-preset.ts'

export default preset(
  { index: 'src/index.ts' },
  {
    // One chunk, loaded by the first call: unbundled, the gRPC client reads some 150 files.
    noExternal: ['@grpc/grpc-js', 'tar-stream'],
    // Bundled CommonJS asks for node's own modules with `require`, which ES modules lack.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    esbuildPlugins: [
      {
        name: 'unused-parts-of-grpc',
        setup(build) {
          // Only the library's own debugging service reads .proto files.
          build.onResolve({ filter: /^@grpc\/proto-loader$/ }, ({ path }) => ({ path, namespace: 'unused' }))
          build.onLoad({ filter: /.*/, namespace: 'unused' }, () => ({
            contents: 'module.exports = {}',
            loader: 'js',
          }))
        },
      },
    ],
  },
)
