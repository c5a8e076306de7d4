import type { MethodDefinition } from '@grpc/proto-loader'

export type Definition = (name: string) => MethodDefinition<object, object>

/** Looks methods up by `Service.Method`. */
export async function loadPackageDefinition(): Promise<Definition> {
  const [{ default: loader }, { default: api }] = await Promise.all([
    import('@grpc/proto-loader'),
    import('./api.generated.json', { with: { type: 'json' } }),
  ])
  const services = loader.fromJSON(api as never, {
    longs: Number,
    enums: String,
    defaults: true,
    keepCase: true,
  }) as Readonly<Record<string, Readonly<Record<string, MethodDefinition<object, object>>>>>
  return (name) => {
    const [service = '', method = ''] = name.split('.')
    const found = services[`containerd.services.${service.toLowerCase()}.v1.${service}`]?.[method]
    if (!found) throw new TypeError(`containerd's API has no ${name}`)
    return found
  }
}
