import { accessSync, constants } from 'node:fs'
import path from 'node:path'

/** Where a program of this machine lies; undefined when it is not on PATH. */
export function findTool(name: string, searchPath = ''): string | undefined {
  return searchPath
    .split(path.delimiter)
    .filter(Boolean)
    .map((folder) => path.join(folder, name))
    .find((file) => isExecutable(file))
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
