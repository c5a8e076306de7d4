/** A wsl.exe with a Node of its own. */
import { runWsl } from './wsl.ts'

process.exitCode = await runWsl(process.argv.slice(2))
