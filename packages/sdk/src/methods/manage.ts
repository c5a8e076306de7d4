import { z } from 'zod'
import { environment, environmentInfo, portBinding, serviceInfo, workspaceInfo } from '../shapes.ts'

const none = z.strictObject({})
const named = z.strictObject({ name: environment })
const folder = z.string().min(1).max(4096).describe('Absolute, on the machine that holm runs on')
const services = z.strictObject({
  environment,
  services: z.array(z.string()).min(1).exactOptional().describe('Absent: all'),
})
const serviceList = z.object({ services: z.array(serviceInfo).readonly() })
const workspace = environment.describe('Name of the workspace')

export const manageMethods = {
  'environment.list': {
    summary: 'Lists the environments of this machine.',
    params: none,
    result: z.object({ environments: z.array(environmentInfo).readonly() }),
  },
  'environment.show': { summary: 'Shows one environment.', params: named, result: environmentInfo },
  'environment.up': {
    summary:
      'Makes or starts the environment of a folder, as `holm up` does; `call.progress` tells how far it is.',
    params: z.strictObject({
      folder,
      blueprint: z.string().exactOptional(),
      name: environment.exactOptional(),
      provider: z.string().exactOptional(),
    }),
    result: z.object({
      environment: environmentInfo,
      outcome: z.enum(['created', 'started', 'running', 'recreated']),
      warnings: z.array(z.string()).readonly(),
    }),
  },
  'environment.start': { summary: 'Starts one that was stopped.', params: named, result: environmentInfo },
  'environment.stop': {
    summary: 'Stops one; its files stay.',
    params: z.strictObject({ name: environment, graceMs: z.int().min(0).max(600_000).exactOptional() }),
    result: environmentInfo,
  },
  'environment.destroy': {
    summary: 'Removes one with its files; what is mounted stays.',
    params: z.strictObject({ name: environment, volumes: z.boolean().exactOptional() }),
    result: z.object({ name: z.string(), existed: z.boolean() }),
  },
  'workspace.list': {
    summary: 'Lists the workspaces of this machine.',
    params: none,
    result: z.object({ workspaces: z.array(workspaceInfo).readonly() }),
  },
  'workspace.show': { summary: 'Shows one workspace.', params: named, result: workspaceInfo },
  'workspace.create': {
    summary: 'Makes a worktree with a branch and an environment of its own.',
    params: z.strictObject({
      name: environment,
      folder: folder.describe('A folder of the repository, absolute'),
      from: z.string().max(256).exactOptional(),
      blueprint: z.string().exactOptional(),
      provider: z.string().exactOptional(),
      cpus: z.number().positive().exactOptional(),
      memoryBytes: z.int().positive().exactOptional(),
    }),
    result: workspaceInfo,
  },
  'workspace.start': { summary: 'Brings its environment up.', params: named, result: workspaceInfo },
  'workspace.stop': { summary: 'Stops its environment.', params: named, result: workspaceInfo },
  'workspace.merge': {
    summary: 'Merges its branch into the one it was made from.',
    params: z.strictObject({
      name: environment,
      squash: z.boolean().exactOptional(),
      message: z.string().min(1).max(65_536).exactOptional().describe('Commit everything in it first'),
    }),
    result: z.object({ name: z.string(), into: z.string(), commit: z.string(), merged: z.boolean() }),
  },
  'workspace.rename': {
    summary: 'Gives it another name; what ran is started again.',
    params: z.strictObject({
      name: environment,
      to: environment,
      mayLose: z.boolean().exactOptional().describe('Also where something does not come along'),
    }),
    result: workspaceInfo,
  },
  'workspace.delete': {
    summary: 'Removes it; what was neither merged nor pushed is kept under the name in `recovery`.',
    params: named,
    result: z.object({ name: z.string(), recovery: z.string().optional() }),
  },
  'service.list': {
    summary: 'Lists services.',
    params: z.strictObject({ environment }),
    result: serviceList,
  },
  'service.start': { summary: 'Starts services, and what they need.', params: services, result: serviceList },
  'service.stop': { summary: 'Stops services, and what needs them.', params: services, result: serviceList },
  'service.restart': { summary: 'Stops and starts services.', params: services, result: serviceList },
  'service.logs': {
    summary: 'Reads the last lines that a service wrote.',
    params: z.strictObject({
      environment,
      service: z.string(),
      lines: z.int().min(1).max(10_000).exactOptional().describe('100 unless given'),
    }),
    result: z.object({ text: z.string(), truncated: z.boolean() }),
  },
  'port.list': {
    summary: 'Lists the ports of running environments.',
    params: z.strictObject({ environment: environment.exactOptional() }),
    result: z.object({
      ports: z
        .array(portBinding.extend({ environment: z.string(), service: z.string().nullable() }))
        .readonly(),
    }),
  },
  'git.status': {
    summary: 'Tells the branch of a workspace, and what changed in it.',
    params: z.strictObject({ workspace }),
    result: workspaceInfo.pick({
      branch: true,
      into: true,
      commit: true,
      changed: true,
      ahead: true,
      behind: true,
      merged: true,
    }),
  },
  'git.diff': {
    summary: 'Shows everything a workspace changed, committed or not.',
    params: z.strictObject({ workspace, stat: z.boolean().exactOptional().describe('Only which files') }),
    result: z.object({ diff: z.string(), truncated: z.boolean() }),
  },
  'git.log': {
    summary: 'Lists the commits that only the branch of a workspace has, newest first.',
    params: z.strictObject({ workspace, limit: z.int().min(1).max(1000).exactOptional() }),
    result: z.object({
      commits: z
        .array(z.object({ commit: z.string(), author: z.string(), at: z.string(), subject: z.string() }))
        .readonly(),
    }),
  },
  'git.commit': {
    summary: 'Commits everything in a workspace. git runs inside, and has to be there.',
    params: z.strictObject({ workspace, message: z.string().min(1).max(65_536) }),
    result: z.object({ commit: z.string() }),
  },
} as const
