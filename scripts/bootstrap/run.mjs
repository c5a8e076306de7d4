import { spawn } from 'node:child_process'

/** A failure that a person can act on: printed without a stack. */
export class SetupError extends Error {}

/** @param {string} output @param {number} [count] */
export function lastLines(output, count = 40) {
  return output.trimEnd().split('\n').slice(-count).join('\n')
}

/**
 * Runs a command quietly; its output is shown only when it fails.
 * @param {readonly string[]} argv
 * @param {{ cwd: string, env?: NodeJS.ProcessEnv, hint?: string }} options
 * @returns {Promise<void>}
 */
export function runQuietly(argv, { cwd, env = process.env, hint }) {
  const [command = '', ...args] = argv
  const { promise, resolve, reject } = withResolvers()
  // Windows finds npm only as a batch file, which needs the shell; every argument here is a constant of ours.
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], shell: isBatch(command) })
  // A set-up that is ended takes its child along.
  const end = () => child.kill()
  process.once('exit', end)
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (output += chunk))
  child.on('error', (error) => reject(new SetupError(`cannot start ${command}: ${error.message}`)))
  child.on('close', (code, signal) => {
    process.off('exit', end)
    if (code === 0) return resolve()
    const how = signal ? `was ended by ${signal}` : `failed with exit code ${code}`
    const advice = hint ? `\n${hint}` : ''
    reject(new SetupError(`${argv.join(' ')} ${how}\n${lastLines(output)}${advice}`))
  })
  return promise
}

/** @param {string} command */
function isBatch(command) {
  return process.platform === 'win32' && !command.endsWith('.exe')
}

/** Promise.withResolvers, which Node 20 does not have. */
function withResolvers() {
  /** @type {() => void} */
  let resolve = () => {}
  /** @type {(reason: Error) => void} */
  let reject = () => {}
  /** @type {Promise<void>} */
  const promise = new Promise((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}
