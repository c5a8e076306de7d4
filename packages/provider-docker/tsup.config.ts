import { providerPreset } from '../../scripts/tsup-preset.ts'

/**
 * Parts of dockerode that this provider never calls: BuildKit sessions, ssh:// addresses, the packing of build contexts
 * (build-context.ts does it). Whatever one of them loads is paid by every command that talks to the engine.
 */
const unused = /^(\.\/buildkit|\.\/session|\.\/ssh|split-ca)$/
const unusedPacking = /^(@balena\/dockerignore|tar-fs|zlib)$/

export default providerPreset({
  // One chunk, loaded by the first call: unbundled, dockerode reads some 300 files and costs ten times as much.
  noExternal: ['dockerode', 'docker-modem', 'tar-fs', '@balena/dockerignore'],
  esbuildPlugins: [
    {
      name: 'unused-parts-of-dockerode',
      setup(build) {
        build.onResolve({ filter: unused }, ({ path, importer }) =>
          /[\\/](dockerode|docker-modem)[\\/]lib[\\/]/.test(importer)
            ? { path, namespace: 'unused' }
            : undefined,
        )
        build.onResolve({ filter: unusedPacking }, ({ path, importer }) =>
          /[\\/]dockerode[\\/]lib[\\/]util\.js$/.test(importer) ? { path, namespace: 'unused' } : undefined,
        )
        // docker-modem describes every request for a debug log: the description alone takes longer than the request.
        build.onResolve({ filter: /^(debug|util)$/ }, ({ path, importer }) =>
          /[\\/]docker-modem[\\/]lib[\\/]modem\.js$/.test(importer)
            ? { path, namespace: 'silent' }
            : undefined,
        )
        build.onLoad({ filter: /.*/, namespace: 'silent' }, ({ path }) => ({
          contents:
            path === 'debug' ? 'module.exports = () => () => {}' : "module.exports = { inspect: () => '' }",
          loader: 'js',
        }))
        // The package is Node's own module, for versions of Node that holm does not run on.
        build.onResolve({ filter: /^readable-stream$/ }, ({ importer }) =>
          /[\\/]docker-modem[\\/]lib[\\/]/.test(importer) ? { path: 'stream', external: true } : undefined,
        )
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
})
