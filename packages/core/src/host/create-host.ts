import type { HostApi } from '../host-api.ts'
import { createBlueprintsApi } from './api/blueprints.ts'
import { createConfigApi } from './api/config.ts'
import { createPluginsApi } from './api/plugins.ts'
import { createProvidersApi } from './api/providers.ts'
import { checkMachine } from './api/doctor.ts'
import type { HostContext } from './context.ts'
import { createContext, healState, type HostOptions } from './create-context.ts'
import { destroyEnvironment } from './environment/destroy.ts'
import { execIn } from './environment/exec.ts'
import { readLogs, startEnvironment, statusOf, stopEnvironment } from './environment/manage.ts'
import { listEnvironments } from './environment/reconcile.ts'
import { up } from './environment/up.ts'

/** The whole of holm as an object. Nothing is asked, opened or imported that the call at hand does not need. */
export async function createHost(options: HostOptions = {}): Promise<HostApi> {
  const { context, close } = await createContext(options)
  const api = createApi(context, close)
  return { ...api, methods: context.registry.bindMethods(api) }
}

function createApi(host: HostContext, close: () => Promise<void>): HostApi {
  const healed = healOnce(host)
  const providers = createProvidersApi(host)
  return {
    up: async (options = {}) => up(await healed(), options),
    list: async (options = {}) => listEnvironments(await healed(), options),
    status: async (name, options = {}) => statusOf(await healed(), name, options),
    exec: async (options) => execIn(await healed(), options),
    async *logs(name, options) {
      yield* readLogs(await healed(), name, options)
    },
    start: async (name, options = {}) => startEnvironment(await healed(), name, options),
    stop: async (name, options = {}) => stopEnvironment(await healed(), name, options),
    destroy: async (name, options = {}) => destroyEnvironment(await healed(), name, options),
    events: (options = {}) => host.state.events.list(options),
    blueprints: createBlueprintsApi(host),
    bases: host.bases,
    providers,
    config: createConfigApi(host),
    plugins: createPluginsApi(host),
    commands: { list: () => host.registry.commands(), load: (id) => host.registry.loadCommand(id) },
    doctor: (options = {}) => checkMachine(host, providers, options),
    methods: {},
    close,
  }
}

/** The first call that needs the state also repairs it, where it was damaged. */
function healOnce(host: HostContext): () => Promise<HostContext> {
  let healing: Promise<void> | undefined
  return async () => {
    healing ??= healState(host)
    await healing
    return host
  }
}
