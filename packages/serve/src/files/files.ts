import type { MethodResult } from '@holm/sdk'

export type Entry = MethodResult<'fs.readdir'>['entries'][number]
export type FileStat = MethodResult<'fs.stat'>

/** The files of one environment. Paths are relative to its folder; one that leads out is HOLM_PATH_OUTSIDE. */
export interface Files {
  /** Undefined: nothing is there. */
  stat(path: string): Promise<FileStat | undefined>
  read(
    path: string,
    part: { readonly offset: number; readonly length: number },
  ): Promise<{ readonly bytes: Buffer; readonly size: number }>
  write(
    path: string,
    content: { readonly bytes: Buffer; readonly mode: 'replace' | 'append' | 'create' },
  ): Promise<{ readonly size: number }>
  /** In any order. */
  list(path: string): Promise<readonly Entry[]>
  /** Whether it was made. */
  makeFolder(path: string, options: { readonly recursive: boolean }): Promise<boolean>
  /** Whether it was there. */
  remove(path: string, options: { readonly recursive: boolean }): Promise<boolean>
}
