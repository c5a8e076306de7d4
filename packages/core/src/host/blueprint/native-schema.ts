import * as z from 'zod/mini'
import { isHolmError } from '../../errors.ts'
import { parseSecret } from './parse-secrets.ts'
import { parseExposed, parsePort } from './parse-ports.ts'
import { parseCpus, parseDuration, parseSize } from './parse-quantity.ts'
import { parseTarget, toTmpfs } from './parse-mounts.ts'
import { assertTool, toolNames } from '../provision/tools/version.ts'
import { didYouMean } from '../did-you-mean.ts'
import type { Blueprint } from '../../blueprint.ts'
import type { ToolName } from '../provision/tools/version.ts'

// Loaded lazily by validate-native.ts: nothing of the hot path may import this file statically.

/** Runs a parser of this folder as a check, so that its message comes with path, line and column. */
function parses<Value>(parse: (value: Value) => unknown): z.core.CheckFn<Value> {
  return (payload) => {
    try {
      parse(payload.value)
    } catch (error) {
      if (!isHolmError(error)) throw error
      payload.issues.push({ code: 'custom', message: error.message, input: payload.value })
    }
  }
}

const text = z.string().check(z.minLength(1))
const anyText = z.string()
const texts = z.array(text)
const argv = z.array(anyText).check(z.minLength(1))
const simpleCommand = z.union([anyText, z.array(anyText)])
const command = z.union([anyText, z.array(anyText), z.record(text, simpleCommand)])
const portNumber = z.int().check(z.gte(1), z.lte(65_535))
const target = text.check(parses(parseTarget))
const size = z.union([z.number().check(parses(parseSize)), text.check(parses(parseSize))])
const duration = text.check(parses(parseDuration))
const variables = z.record(text.check(z.regex(/^[^=\u0000]+$/)), z.union([anyText, z.number(), z.boolean()]))

/** Unknown tools and versions that cannot be read are told here, with their line, not after the environment was made. */
function knownTools(payload: z.core.ParsePayload<Record<string, string | number>>): void {
  for (const [tool, version] of Object.entries(payload.value)) {
    try {
      assertTool(tool, String(version))
    } catch (error) {
      if (!isHolmError(error)) throw error
      const message = toolNames.includes(tool as ToolName)
        ? error.message
        : `${error.message}${didYouMean(tool, toolNames)}`
      payload.issues.push({ code: 'custom', message, path: [tool], input: payload.value })
    }
  }
}

const port = z.union([
  z.number().check(parses(parsePort)),
  text.check(parses(parsePort)),
  z.strictObject({
    container: portNumber,
    host: z.exactOptional(z.int().check(z.gte(0), z.lte(65_535))),
    hostIp: z.exactOptional(text),
    protocol: z.exactOptional(z.enum(['tcp', 'udp'])),
  }),
])

const base = z.union([
  text,
  z.strictObject({ image: text, digest: z.exactOptional(text.check(z.regex(/^sha256:[0-9a-f]{64}$/))) }),
  z.strictObject({ rootfs: text, sha256: z.exactOptional(text.check(z.regex(/^[0-9a-f]{64}$/))) }),
  z.strictObject({ folder: text }),
  z.strictObject({ disk: text, sha256: z.exactOptional(text.check(z.regex(/^[0-9a-f]{64}$/))) }),
  z.strictObject({
    dockerfile: text,
    context: z.exactOptional(text),
    args: z.exactOptional(z.record(text, anyText)),
    target: z.exactOptional(text),
  }),
])

const healthcheck = z.strictObject({
  url: z.exactOptional(text.check(z.regex(/^https?:\/\/\S+$/))),
  port: z.exactOptional(portNumber),
  command: z.exactOptional(simpleCommand),
  interval: z.exactOptional(duration),
  timeout: z.exactOptional(duration),
  retries: z.exactOptional(z.int().check(z.gte(0))),
  start_period: z.exactOptional(duration),
})

const volumes = z.array(
  z.strictObject({ name: z.exactOptional(text), mount: target, readonly: z.exactOptional(z.boolean()) }),
)

const service = z.strictObject({
  command: z.exactOptional(simpleCommand),
  image: z.exactOptional(text),
  volumes: z.exactOptional(volumes),
  environment: z.exactOptional(variables),
  ports: z.exactOptional(z.array(port)),
  depends_on: z.exactOptional(texts),
  healthcheck: z.exactOptional(healthcheck),
  restart: z.exactOptional(z.enum(['no', 'on-failure', 'always'])),
})

const optional = z.exactOptional(z.boolean())
const secret = z.union([
  text.check(parses((value: string) => parseSecret(value, (path) => path))),
  z.strictObject({ env: text, optional }),
  z.strictObject({ file: text, optional }),
  z.strictObject({ command: argv, optional }),
])

const stages = z.strictObject({
  initialize: z.exactOptional(command),
  onCreate: z.exactOptional(command),
  updateContent: z.exactOptional(command),
  postCreate: z.exactOptional(command),
  postStart: z.exactOptional(command),
  postAttach: z.exactOptional(command),
})

const storage = {
  volumes: z.exactOptional(volumes),
  bind_mounts: z.exactOptional(
    z.array(z.strictObject({ host: text, container: target, readonly: z.exactOptional(z.boolean()) })),
  ),
  tmpfs: z.exactOptional(
    z.array(
      z.union([
        text.check(parses(toTmpfs)),
        z.strictObject({ mount: target, size: z.exactOptional(text.check(parses(parseSize))) }),
      ]),
    ),
  ),
}

/** The shape of `holm.yaml`. Values that are written as text (sizes, ports, durations) are checked by their own parsers. */
export const blueprintSchema: z.ZodMiniType<Blueprint> = z.strictObject({
  $schema: z.exactOptional(anyText),
  name: z.exactOptional(text),
  description: z.exactOptional(anyText),
  extends: z.exactOptional(z.union([text, texts])),
  base: z.exactOptional(base),
  provider: z.exactOptional(text),
  packages: z.exactOptional(texts),
  tools: z.exactOptional(z.record(text, z.union([text, z.number()])).check(knownTools)),
  scripts: z.exactOptional(
    z.strictObject({ setup: z.exactOptional(simpleCommand), postInstall: z.exactOptional(simpleCommand) }),
  ),
  environment: z.exactOptional(variables),
  ports: z.exactOptional(z.array(port)),
  expose: z.exactOptional(
    z.array(z.union([z.number().check(parses(parseExposed)), text.check(parses(parseExposed))])),
  ),
  network: z.exactOptional(text),
  hostname: z.exactOptional(text.check(z.regex(/^[a-zA-Z0-9](?:[a-zA-Z0-9.-]{0,62})$/))),
  ...storage,
  resources: z.exactOptional(
    z.strictObject({
      cpus: z.exactOptional(z.union([z.number().check(parses(parseCpus)), text.check(parses(parseCpus))])),
      memory: z.exactOptional(size),
      disk: z.exactOptional(size),
      pids: z.exactOptional(z.int().check(z.gte(1))),
    }),
  ),
  user: z.exactOptional(text),
  matchUserId: z.exactOptional(z.boolean()),
  workdir: z.exactOptional(target),
  project: z.exactOptional(z.union([target, z.literal(false)])),
  lifecycle: z.exactOptional(stages),
  check: z.exactOptional(z.union([text, argv])),
  services: z.exactOptional(z.record(text, service)),
  compose: z.exactOptional(
    z.union([
      text,
      z.strictObject({
        file: text,
        services: z.exactOptional(texts),
        profiles: z.exactOptional(texts),
        ports: z.exactOptional(z.enum(['asked', 'free'])),
      }),
    ]),
  ),
  secrets: z.exactOptional(z.record(text, secret)),
  docker: z.exactOptional(z.boolean()),
  security: z.exactOptional(
    z.strictObject({
      privileged: z.exactOptional(z.boolean()),
      capAdd: z.exactOptional(texts),
      capDrop: z.exactOptional(texts),
      securityOpt: z.exactOptional(texts),
      devices: z.exactOptional(texts),
    }),
  ),
  providers: z.exactOptional(z.record(text, z.unknown())),
  wslConfig: z.exactOptional(z.unknown()),
  wslConfigFile: z.exactOptional(anyText),
  wslConfigCustom: z.exactOptional(z.unknown()),
})

/** JSON Schema (2020-12) of a blueprint, without descriptions: scripts/generators/blueprint-schema.ts adds them. */
export function toBlueprintJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(blueprintSchema, { reused: 'inline' }) as Record<string, unknown>
}
