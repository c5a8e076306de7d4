// A limactl with a Node of its own.
import { spawnSync } from 'node:child_process'
import { isatty } from 'node:tty'
import { runLimactl } from './limactl.mjs'

const { code, script } = await runLimactl(process.argv.slice(2), isatty(0))
process.exitCode = script ? (spawnSync('bash', ['-c', script], { stdio: 'inherit' }).status ?? 255) : code
