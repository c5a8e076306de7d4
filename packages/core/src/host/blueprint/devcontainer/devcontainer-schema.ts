import * as z from 'zod/mini'
import type { DevcontainerConfig } from './devcontainer-config.ts'

// Loaded lazily by load-devcontainer.ts. The format is extensible: keys that are not here are no error.

const text = z.string()
const texts = z.array(text)
const simpleCommand = z.union([text, texts])
const command = z.exactOptional(z.union([text, texts, z.record(text, simpleCommand)]))
const port = z.union([z.int().check(z.gte(1), z.lte(65_535)), text])
const flag = z.exactOptional(z.boolean())

const build = z.looseObject({
  dockerfile: z.exactOptional(text),
  context: z.exactOptional(text),
  args: z.exactOptional(z.record(text, text)),
  target: z.exactOptional(text),
  cacheFrom: z.exactOptional(z.union([text, texts])),
  options: z.exactOptional(texts),
})

const requirements = z.looseObject({
  cpus: z.exactOptional(z.int().check(z.gte(1))),
  memory: z.exactOptional(text),
  storage: z.exactOptional(text),
  gpu: z.exactOptional(
    z.union([
      z.boolean(),
      z.literal('optional'),
      z.looseObject({ cores: z.exactOptional(z.int()), memory: z.exactOptional(text) }),
    ]),
  ),
})

const mount = z.union([
  text,
  z.looseObject({ type: z.exactOptional(text), source: z.exactOptional(text), target: text }),
])

/** The shape of a devcontainer.json; texts with an inner form (ports, mounts, sizes) are read by their own parsers. */
export const devcontainerSchema: z.ZodMiniType<DevcontainerConfig> = z.looseObject({
  name: z.exactOptional(text),
  image: z.exactOptional(text.check(z.minLength(1))),
  build: z.exactOptional(build),
  dockerFile: z.exactOptional(text),
  context: z.exactOptional(text),
  runArgs: z.exactOptional(texts),
  appPort: z.exactOptional(z.union([port, z.array(port)])),
  workspaceMount: z.exactOptional(text),
  workspaceFolder: z.exactOptional(text),
  initializeCommand: command,
  secrets: z.exactOptional(z.record(text, z.unknown())),
  containerUser: z.exactOptional(text),
  remoteUser: z.exactOptional(text),
  updateRemoteUserUID: flag,
  containerEnv: z.exactOptional(z.record(text, text)),
  remoteEnv: z.exactOptional(z.record(text, z.nullable(text))),
  mounts: z.exactOptional(z.array(mount)),
  init: flag,
  privileged: flag,
  capAdd: z.exactOptional(texts),
  securityOpt: z.exactOptional(texts),
  overrideCommand: flag,
  forwardPorts: z.exactOptional(z.array(port)),
  hostRequirements: z.exactOptional(requirements),
  onCreateCommand: command,
  updateContentCommand: command,
  postCreateCommand: command,
  postStartCommand: command,
  postAttachCommand: command,
  waitFor: z.exactOptional(
    z.enum([
      'initializeCommand',
      'onCreateCommand',
      'updateContentCommand',
      'postCreateCommand',
      'postStartCommand',
    ]),
  ),
  userEnvProbe: z.exactOptional(z.enum(['none', 'loginShell', 'interactiveShell', 'loginInteractiveShell'])),
  shutdownAction: z.exactOptional(z.enum(['none', 'stopContainer', 'stopCompose'])),
})
