import { serve, type ServeCommand } from './serve.ts'

/** In the order of the help; the manifest's table is generated from it. */
export const commands: readonly ServeCommand[] = [serve]

/** What the manifest lists. */
export const tables = commands.map(({ run: _run, ...table }) => table)
