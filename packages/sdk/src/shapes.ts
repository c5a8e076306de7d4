import { z } from 'zod'

/** Parts that several methods of the table share. Descriptions appear in the reference. */

export const environment = z
  .string()
  .min(1)
  .max(64)
  .describe('Name of the environment; that of a workspace is the same')

export const path = z
  .string()
  .max(4096)
  .refine((value) => !value.includes('\0'), 'must not contain a NUL')
  .describe('Relative to the folder of the environment, with `/`; `.` is that folder itself')

export const encoding = z
  .enum(['utf8', 'base64'])
  .describe('How bytes are written as text. `utf8` replaces what is no valid UTF-8')

/** Longest timeout that can be asked for. */
export const maximumTimeoutMs = 24 * 60 * 60 * 1000
export const timeoutMs = z
  .int()
  .min(1)
  .max(maximumTimeoutMs)
  .describe(
    `Milliseconds, at most ${maximumTimeoutMs} (24 h). The program is ended then, and what it wrote is kept`,
  )

export const size = z.strictObject({
  cols: z.int().min(1).max(1000),
  rows: z.int().min(1).max(1000),
})

/** Which program is run, and how. */
export const program = {
  environment,
  argv: z.array(z.string().max(131_072)).min(1).max(1024).describe('The program and its arguments; no shell'),
  cwd: z.string().max(4096).exactOptional().describe("Folder inside; absent: the environment's own"),
  env: z.record(z.string(), z.string()).exactOptional().describe('Variables added for this program'),
  user: z.string().max(128).exactOptional().describe("Name or id; absent: the environment's own"),
}

export const portBinding = z.object({
  container: z.number(),
  host: z.number(),
  hostIp: z.string(),
  protocol: z.enum(['tcp', 'udp']),
})

/** More fields than these may come; `holm status --json` has the same. */
export const environmentInfo = z.object({
  name: z.string(),
  provider: z.string(),
  status: z.enum(['absent', 'creating', 'stopped', 'running', 'paused', 'failed', 'unknown']),
  blueprint: z.string(),
  project: z.string().describe('Folder on the machine that holm runs on'),
  createdAt: z.string().optional(),
  startedAt: z.string().optional(),
  reason: z.string().optional(),
  ports: z.array(portBinding).readonly(),
  workdir: z.string().optional(),
})

/** More fields than these may come; `holm workspace show --json` has the same. */
export const workspaceInfo = z.object({
  name: z.string(),
  repository: z.string(),
  path: z.string(),
  branch: z.string(),
  into: z.string(),
  createdAt: z.string(),
  commit: z.string().optional(),
  changed: z.array(z.string()).readonly(),
  ahead: z.number(),
  behind: z.number(),
  merged: z.boolean(),
  status: z.string(),
  provider: z.string().optional(),
  ports: z.array(portBinding).readonly(),
  problem: z.string().optional(),
})

export const serviceInfo = z.object({
  name: z.string(),
  state: z.string(),
  exitCode: z.number().nullable(),
  restarts: z.number(),
})

/** The fields that most kinds of events have; `holm events --json` has the same. */
export const event = z.object({
  type: z.string(),
  environment: z.string().optional(),
  step: z.string().optional(),
  message: z.string().optional(),
  text: z.string().optional().describe('A line that a program wrote'),
  status: z.string().optional(),
})

export const fileType = z.enum(['file', 'directory', 'symlink', 'other'])
export const subscription = z.string().describe('Id, for its notifications and for `subscription.cancel`')
export const execution = z.string().max(64).describe('Id from `exec.start`')
