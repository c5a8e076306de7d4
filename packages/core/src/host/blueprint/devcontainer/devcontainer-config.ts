import type { BlueprintCommand } from '../../../blueprint.ts'

/** The parts of a devcontainer.json that holm reads, as they are written: nothing is substituted or merged yet. */
export interface DevcontainerConfig extends DevcontainerMetadata {
  readonly name?: string
  readonly image?: string
  readonly build?: DevcontainerBuild
  /** Legacy spelling of `build.dockerfile` and `build.context`. */
  readonly dockerFile?: string
  readonly context?: string
  readonly runArgs?: readonly string[]
  readonly appPort?: number | string | readonly (number | string)[]
  readonly workspaceMount?: string
  readonly workspaceFolder?: string
  readonly initializeCommand?: BlueprintCommand
  readonly secrets?: Readonly<Record<string, unknown>>
}

export interface DevcontainerBuild {
  readonly dockerfile?: string
  readonly context?: string
  readonly args?: Readonly<Record<string, string>>
  readonly target?: string
  readonly cacheFrom?: string | readonly string[]
  readonly options?: readonly string[]
}

/** What an image may also say of itself, in its label `devcontainer.metadata`. */
export interface DevcontainerMetadata {
  readonly containerUser?: string
  readonly remoteUser?: string
  readonly updateRemoteUserUID?: boolean
  readonly containerEnv?: Readonly<Record<string, string>>
  /** null unsets. */
  readonly remoteEnv?: Readonly<Record<string, string | null>>
  readonly mounts?: readonly (string | DevcontainerMount)[]
  readonly init?: boolean
  readonly privileged?: boolean
  readonly capAdd?: readonly string[]
  readonly securityOpt?: readonly string[]
  readonly overrideCommand?: boolean
  readonly forwardPorts?: readonly (number | string)[]
  readonly hostRequirements?: DevcontainerRequirements
  readonly onCreateCommand?: BlueprintCommand
  readonly updateContentCommand?: BlueprintCommand
  readonly postCreateCommand?: BlueprintCommand
  readonly postStartCommand?: BlueprintCommand
  readonly postAttachCommand?: BlueprintCommand
  readonly waitFor?: `${DevcontainerStage}Command`
  readonly userEnvProbe?: 'none' | 'loginShell' | 'interactiveShell' | 'loginInteractiveShell'
  readonly shutdownAction?: 'none' | 'stopContainer' | 'stopCompose'
  /** Images only: start-up scripts of features baked into them. */
  readonly entrypoint?: string
}

export type DevcontainerStage = 'initialize' | 'onCreate' | 'updateContent' | 'postCreate' | 'postStart'

export interface DevcontainerMount {
  readonly type?: string
  readonly source?: string
  readonly target: string
}

export interface DevcontainerRequirements {
  readonly cpus?: number
  readonly memory?: string
  readonly storage?: string
  readonly gpu?: boolean | 'optional' | { readonly cores?: number; readonly memory?: string }
}

/** Stages that run inside, which an image may add to. */
export const innerStages = ['onCreate', 'updateContent', 'postCreate', 'postStart', 'postAttach'] as const

/** Keys that are read, or that tools for editors read and holm rightly leaves alone. */
export const devcontainerKeys: readonly string[] = [
  '$schema',
  'name',
  'image',
  'build',
  'dockerFile',
  'context',
  'features',
  'overrideFeatureInstallOrder',
  'dockerComposeFile',
  'service',
  'runServices',
  'runArgs',
  'appPort',
  'forwardPorts',
  'portsAttributes',
  'otherPortsAttributes',
  'workspaceMount',
  'workspaceFolder',
  'containerUser',
  'remoteUser',
  'updateRemoteUserUID',
  'containerEnv',
  'remoteEnv',
  'mounts',
  'init',
  'privileged',
  'capAdd',
  'securityOpt',
  'overrideCommand',
  'hostRequirements',
  'initializeCommand',
  'onCreateCommand',
  'updateContentCommand',
  'postCreateCommand',
  'postStartCommand',
  'postAttachCommand',
  'waitFor',
  'userEnvProbe',
  'shutdownAction',
  'customizations',
  'secrets',
  // Legacy keys of one editor; they say nothing about the environment.
  'extensions',
  'settings',
  'devPort',
]
