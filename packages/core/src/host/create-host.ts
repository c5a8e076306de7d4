import type { CallOptions, Companions, HostApi } from '../host-api.ts'
import { createBlueprintsApi } from './api/blueprints.ts'
import { createConfigApi } from './api/config.ts'
import { createCopiesApi } from './api/copies.ts'
import { createPluginsApi } from './api/plugins.ts'
import { createProvidersApi } from './api/providers.ts'
import { checkMachine } from './api/doctor.ts'
import { lazyCompanions } from './companions/lazy.ts'
import type { HostContext } from './context.ts'
import { createContext, healState, type HostOptions } from './create-context.ts'
import { checkIn } from './environment/check.ts'
import { destroyEnvironment } from './environment/destroy.ts'
import { execIn } from './environment/exec.ts'
import { createIdleApi } from './environment/idle.ts'
import { measure, readLogs, startEnvironment, statusOf, stopEnvironment } from './environment/manage.ts'
import { listEnvironments } from './environment/reconcile.ts'
import { up } from './environment/up.ts'
import { createPortsApi } from './ports/leases.ts'
import { isDamaged } from './state/index.ts'

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
    up: (options = {}) => healed((sound) => up(sound, options)),
    list: (options = {}) => healed((sound) => listEnvironments(sound, options)),
    status: (name, options = {}) => healed((sound) => statusOf(sound, name, options)),
    exec: (options) => healed((sound) => execIn(sound, options)),
    check: (options = {}) => healed((sound) => checkIn(sound, options)),
    async *logs(name, options) {
      yield* readLogs(await healed(async (sound) => sound), name, options)
    },
    start: (name, options = {}) => healed((sound) => startEnvironment(sound, name, options)),
    stop: (name, options = {}) => healed((sound) => stopEnvironment(sound, name, options)),
    destroy: (name, options = {}) => healed((sound) => destroyEnvironment(sound, name, options)),
    ...createCopiesApi(healed),
    companions: (environment, options = {}) => openCompanions(healed, environment, options),
    events: (options = {}) => host.state.events.list(options),
    blueprints: createBlueprintsApi(host),
    bases: host.bases,
    providers,
    config: createConfigApi(host),
    plugins: createPluginsApi(host),
    commands: { list: () => host.registry.commands(), load: (id) => host.registry.loadCommand(id) },
    doctor: (options = {}) => checkMachine(host, providers, options),
    ports: createPortsApi(host),
    idle: createIdleApi(host),
    metrics: (name, options = {}) => healed((sound) => measure(sound, name, options)),
    methods: {},
    close,
  }
}

/** Their code is loaded when they are used. */
function openCompanions(healed: Healed, environment: string, options: CallOptions): Companions {
  return lazyCompanions(async () => {
    const { createCompanions } = await import('./companions/index.ts')
    return healed(async (host) => createCompanions(host, environment, host.operation(environment, options)))
  })
}

type Healed = <T>(work: (host: HostContext) => Promise<T>) => Promise<T>

/** What a killed holm has begun and must not be left as it is. Nearly always there is nothing. */
async function healInterrupted(host: HostContext): Promise<void> {
  if (host.state.journals.list().length === 0) return
  const { healRestores } = await import('./copies/restore.ts')
  await healRestores(host)
}

/** The first call that needs the state also repairs it, where it was damaged; so does one that meets damage on its way. */
function healOnce(host: HostContext): Healed {
  let healing: Promise<void> | undefined
  return async (work) => {
    healing ??= healState(host).then(() => healInterrupted(host))
    try {
      await healing
      return await work(host)
    } catch (error) {
      if (!isDamaged(error)) throw error
      host.reopenState()
      await healState(host)
      return work(host)
    }
  }
}
