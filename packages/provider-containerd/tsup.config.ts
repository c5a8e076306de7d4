import { providerPreset } from '../../scripts/tsup-preset.ts'

export default providerPreset({
  // One chunk, loaded by the first call: unbundled, the gRPC client reads some 150 files.
  noExternal: ['@grpc/grpc-js', 'tar-stream'],
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
})
