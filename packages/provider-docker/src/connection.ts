import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import { HolmError } from '@holm/core'

/** How to reach an engine. `name` is for people. */
export type Connection =
  | { readonly kind: 'socket'; readonly path: string; readonly name: string }
  | {
      readonly kind: 'tcp'
      readonly host: string
      readonly port: number
      readonly tls?: Tls
      readonly name: string
    }

export interface Tls {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly verify: boolean
}

/** What the resolution may look at: nothing else of the machine is read. */
export interface ConnectionInput {
  readonly host?: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly platform: NodeJS.Platform
  readonly uid?: number | undefined
  /** Text of a file, undefined when it cannot be read. */
  readonly readText: (path: string) => string | undefined
  readonly exists: (path: string) => boolean
}

/**
 * Which engine to talk to: the plugin's `host`, then DOCKER_HOST, then the current docker context, then the usual sockets.
 * HOLM_CONFIG_INVALID for an address that cannot be used. A socket need not exist: `probe` says so.
 */
export function resolveConnection(input: ConnectionInput): Connection {
  const configured = nonEmpty(input.host) ?? nonEmpty(input.env['DOCKER_HOST'])
  if (configured !== undefined) return parseHost(configured, envTls(input))
  return contextConnection(input) ?? defaultSocket(input)
}

/** `unix://`, `npipe://`, `tcp://`, `http(s)://` or a bare host:port, as the docker CLI writes them. */
export function parseHost(host: string, tls?: Tls): Connection {
  if (host.startsWith('unix://')) return socket(host.slice(7) || '/var/run/docker.sock')
  if (host.startsWith('npipe://')) return socket(host.slice(8) || '//./pipe/docker_engine')
  if (host.startsWith('/')) return socket(host)
  if (host.startsWith('ssh://')) {
    throw new HolmError(
      'HOLM_CONFIG_INVALID',
      `the engine address ${redact(host)} goes through ssh, which this provider does not`,
      {
        hint: 'Run holm on that machine, or forward its socket with `ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock <host>` and set DOCKER_HOST=unix:///tmp/docker.sock.',
      },
    )
  }
  return parseTcp(host, tls)
}

function parseTcp(host: string, tls: Tls | undefined): Connection {
  const url = URL.parse(host.includes('://') ? host : `tcp://${host}`)
  if (!url || !['tcp:', 'http:', 'https:'].includes(url.protocol) || url.hostname === '') {
    throw new HolmError('HOLM_CONFIG_INVALID', `the engine address "${redact(host)}" is none`, {
      hint: 'Set DOCKER_HOST to unix:///path/docker.sock or tcp://host:port.',
    })
  }
  const secure = tls ?? (url.protocol === 'https:' ? { verify: true } : undefined)
  const port = url.port === '' ? (secure ? 2376 : 2375) : Number(url.port)
  const name = `tcp://${url.hostname}:${port}`
  return {
    kind: 'tcp',
    host: url.hostname.replaceAll(/^\[|\]$/g, ''),
    port,
    name,
    ...(secure && { tls: secure }),
  }
}

function envTls({ env, readText }: ConnectionInput): Tls | undefined {
  if (nonEmpty(env['DOCKER_TLS_VERIFY']) === undefined && nonEmpty(env['DOCKER_TLS']) === undefined)
    return undefined
  const folder = nonEmpty(env['DOCKER_CERT_PATH']) ?? configFolder(env)
  const verify = nonEmpty(env['DOCKER_TLS_VERIFY']) !== undefined
  return folder === undefined ? { verify } : tlsFrom(folder, { verify, readText })
}

function tlsFrom(
  folder: string,
  options: { readonly verify: boolean; readonly readText: ConnectionInput['readText'] },
): Tls {
  const read = (name: string): string | undefined => options.readText(posix.join(folder, name))
  const ca = read('ca.pem')
  const cert = read('cert.pem')
  const key = read('key.pem')
  return { verify: options.verify, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
}

interface ContextMeta {
  readonly Endpoints?: { readonly docker?: { readonly Host?: string; readonly SkipTLSVerify?: boolean } }
}

function contextConnection(input: ConnectionInput): Connection | undefined {
  const folder = configFolder(input.env)
  if (folder === undefined) return undefined
  const wanted = nonEmpty(input.env['DOCKER_CONTEXT'])
  const config = parseJson(input.readText(posix.join(folder, 'config.json'))) as
    | { currentContext?: string }
    | undefined
  const context = wanted ?? nonEmpty(config?.currentContext)
  if (context === undefined || context === 'default') return undefined
  const id = createHash('sha256').update(context).digest('hex')
  const meta = parseJson(input.readText(posix.join(folder, 'contexts', 'meta', id, 'meta.json'))) as
    | ContextMeta
    | undefined
  const docker = meta?.Endpoints?.docker
  if (!docker?.Host) {
    throw new HolmError(
      'HOLM_CONFIG_INVALID',
      `the docker context "${context}" does not exist in ${folder}`,
      {
        hint: 'Choose one that exists with `docker context use <name>`, or set DOCKER_HOST.',
      },
    )
  }
  const tlsFolder = posix.join(folder, 'contexts', 'tls', id, 'docker')
  const hasTls = input.exists(tlsFolder)
  return parseHost(
    docker.Host,
    hasTls
      ? tlsFrom(tlsFolder, { verify: docker.SkipTLSVerify !== true, readText: input.readText })
      : undefined,
  )
}

/** The first socket that is there; the engine's usual one when none is, so that the error names it. */
function defaultSocket(input: ConnectionInput): Connection {
  if (input.platform === 'win32') return socket('//./pipe/docker_engine')
  const candidates = socketCandidates(input)
  return socket(candidates.find((path) => input.exists(path)) ?? '/var/run/docker.sock')
}

function socketCandidates({ env, uid }: ConnectionInput): readonly string[] {
  const runtime = nonEmpty(env['XDG_RUNTIME_DIR']) ?? (uid === undefined ? undefined : `/run/user/${uid}`)
  const home = nonEmpty(env['HOME'])
  return [
    '/var/run/docker.sock',
    ...(runtime ? [posix.join(runtime, 'docker.sock')] : []),
    ...(home ? [posix.join(home, '.docker/run/docker.sock')] : []),
    ...(runtime ? [posix.join(runtime, 'podman/podman.sock')] : []),
    '/run/podman/podman.sock',
    ...(home ? [posix.join(home, '.local/share/containers/podman/machine/podman.sock')] : []),
  ]
}

/** Folder of the docker CLI's own configuration: contexts and registry logins. */
export function configFolder(env: ConnectionInput['env']): string | undefined {
  const home = nonEmpty(env['HOME']) ?? nonEmpty(env['USERPROFILE'])
  return nonEmpty(env['DOCKER_CONFIG']) ?? (home === undefined ? undefined : posix.join(home, '.docker'))
}

function socket(path: string): Connection {
  return { kind: 'socket', path, name: path }
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value
}

function parseJson(text: string | undefined): unknown {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function redact(host: string): string {
  return host.replace(/\/\/[^@/]*@/, '//***@')
}
