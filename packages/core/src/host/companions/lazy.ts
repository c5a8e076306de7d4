import type { Companions } from '../../host-api.ts'

/** The same, opened at the first call: an environment without services from images never needs the code. */
export function lazyCompanions(open: () => Promise<Companions>): Companions {
  return {
    list: async () => (await open()).list(),
    up: async (service) => (await open()).up(service),
    stop: async (service) => (await open()).stop(service),
    exec: async (service, request) => (await open()).exec(service, request),
    async *logs(service, options) {
      yield* (await open()).logs(service, options)
    },
  }
}
