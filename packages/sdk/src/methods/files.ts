import { z } from 'zod'
import { encoding, environment, fileType, path, subscription } from '../shapes.ts'

const target = { environment, path }

/**
 * Files of an environment's folder. Where that folder is mounted from this machine, it is worked on here, also while the
 * environment is stopped; where it is not, inside. No path leads out of it, whatever links lie in it.
 */
export const fileMethods = {
  'fs.readFile': {
    summary: 'Reads a file, or a part of it.',
    params: z.strictObject({
      ...target,
      encoding: encoding.exactOptional(),
      offset: z.int().min(0).exactOptional().describe('First byte; 0 unless given'),
      length: z.int().min(1).exactOptional().describe('Bytes at most; never more than `chunkBytes`'),
    }),
    result: z.object({
      data: z.string(),
      encoding,
      bytes: z.number().describe('How many were read'),
      size: z.number().describe('Of the whole file'),
      end: z.boolean().describe('Nothing comes after this'),
    }),
  },
  'fs.writeFile': {
    summary: 'Writes a file; its folder must exist.',
    params: z.strictObject({
      ...target,
      data: z.string(),
      encoding: encoding.exactOptional(),
      mode: z
        .enum(['replace', 'append', 'create'])
        .exactOptional()
        .describe('`replace` unless given; `create` refuses one that exists'),
    }),
    result: z.object({ size: z.number().describe('Of the file, afterwards') }),
  },
  'fs.exists': {
    summary: 'Tells whether something is there. What leads out of the folder is an error, not an answer.',
    params: z.strictObject(target),
    result: z.object({ exists: z.boolean() }),
  },
  'fs.readdir': {
    summary: 'Lists a folder, by name.',
    params: z.strictObject({
      ...target,
      after: z.string().max(1024).exactOptional().describe('Go on after this name'),
    }),
    result: z.object({
      entries: z.array(z.object({ name: z.string(), type: fileType })).readonly(),
      end: z.boolean().describe('There are no more'),
    }),
  },
  'fs.mkdir': {
    summary: 'Makes a folder.',
    params: z.strictObject({
      ...target,
      recursive: z.boolean().exactOptional().describe('Also its parents; one that exists is no error'),
    }),
    result: z.object({ created: z.boolean() }),
  },
  'fs.rm': {
    summary: 'Removes a file, a link (never what it leads to) or a folder.',
    params: z.strictObject({
      ...target,
      recursive: z.boolean().exactOptional().describe('Also a folder that is not empty'),
      force: z.boolean().exactOptional().describe('What is not there is no error'),
    }),
    result: z.object({ existed: z.boolean() }),
  },
  'fs.stat': {
    summary: 'Tells what is at a path. Links are followed, inside the folder.',
    params: z.strictObject(target),
    result: z.object({
      type: fileType,
      size: z.number(),
      mode: z.number().describe('Permission bits'),
      modifiedAt: z.string().describe('ISO 8601'),
    }),
  },
  'fs.watch': {
    summary: 'Tells what changes in a folder, until it is cancelled. Only where files are worked on here.',
    params: z.strictObject({
      ...target,
      recursive: z.boolean().exactOptional(),
      ignore: z
        .array(z.string().min(1).max(255))
        .max(64)
        .exactOptional()
        .describe('Names of folders that are not looked into; `.git` and `node_modules` unless given'),
    }),
    result: z.object({ subscription, folders: z.number().describe('How many are watched') }),
  },
} as const

export const fileNotifications = {
  'fs.changed': {
    summary: 'Something changed. Several changes of one path may be one.',
    params: z.object({
      subscription,
      paths: z.array(z.string()).readonly().describe("Relative to the environment's folder"),
      overflow: z
        .boolean()
        .describe('More changed than could be told, or is watched: look again at all of it'),
    }),
  },
} as const
