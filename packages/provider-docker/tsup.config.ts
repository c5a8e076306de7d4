import { preset } from '../../scripts/tsup-preset.ts'

/** Parts of dockerode that only BuildKit sessions and ssh:// addresses need: this provider uses neither. */
const unused = /^(@grpc\/grpc-js|@grpc\/proto-loader|protobufjs|ssh2)$/

export default preset(
  { index: 'src/index.ts' },
  {
    // One chunk, loaded by the first call: unbundled, dockerode reads some 300 files and costs ten times as much.
    noExternal: ['dockerode', 'docker-modem', 'tar-fs', '@balena/dockerignore'],
    // Bundled CommonJS asks for node's own modules with `require`, which ES modules lack.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    esbuildPlugins: [
      {
        name: 'unused-parts-of-dockerode',
        setup(build) {
          build.onResolve({ filter: unused }, ({ path }) => ({ path, namespace: 'unused' }))
          // docker-modem loads https at once; a socket never needs it, and it costs as much as all of dockerode.
          build.onResolve({ filter: /^https$/ }, ({ path }) => ({ path, namespace: 'lazy' }))
          build.onLoad({ filter: /.*/, namespace: 'lazy' }, () => ({
            contents: "module.exports = new Proxy({}, { get: (_, key) => require('node:https')[key] })",
            loader: 'js',
          }))
          build.onLoad({ filter: /.*/, namespace: 'unused' }, () => ({
            contents: 'module.exports = {}',
            loader: 'js',
          }))
        },
      },
    ],
  },
)
