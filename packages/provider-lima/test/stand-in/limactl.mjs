// A stand-in for `limactl`, for machines where the real one cannot be had. It answers with the messages, the JSON lines and
// the exit codes of Lima's source (v1.2.3 and v2.1.4; which of them: HOLM_STAND_IN_VERSION), and really runs what it
// starts: an "instance" is an LXC container over an overlay of its "disk image", which is a root filesystem tarball.
//
// Where it differs from the real one, on purpose: it runs as root (LXC needs that; Lima refuses it), refuses unknown keys in
// YAML (Lima warns), and answers only to what holm calls.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { quoteWord } from '../../../../scripts/testing/stand-in-server.ts'
import { End, write } from './caller.mjs'
import { copyInstance, createDisk, listTags, snapshotDisk } from './disk.mjs'
import { serve } from './hostagent.mjs'
import { home, inspect, instanceDir, quoteName, tell, version } from './instance.mjs'
import { attachArgv, killContainer, terminalArgv, unmountRoot } from './lxc.mjs'
import { parseConfig } from './parse.mjs'
import { loadTemplate, validate } from './template.mjs'

const main = fileURLToPath(new URL('main.mjs', import.meta.url))

/** Ends with a line as logrus writes it and code 1. */
function fatal(message) {
  tell('fatal', message)
  throw new End(1)
}

function requireInstance(name, verb = '') {
  const found = inspect(name)
  if (found) return found
  // os.ErrNotExist of the file, unless the command says it in its own words.
  return fatal(verb || `open ${instanceDir(name)}/lima.yaml: no such file or directory`)
}

const identifier = /^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$/

function assertName(name) {
  if (identifier.test(name) && name.length <= 76) return
  fatal(
    `instance name ${JSON.stringify(name)} is not a valid identifier: identifier ${JSON.stringify(name)} must match "^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$"`,
  )
}

function assertSocket(name) {
  const socket = `${instanceDir(name)}/ssh.sock.1234567890123456`
  if (Buffer.byteLength(socket) < 108) return
  fatal(
    `instance name ${JSON.stringify(name)} too long: ${JSON.stringify(socket)} must be less than UNIX_PATH_MAX=108 characters, but is ${socket.length}`,
  )
}

function create(args) {
  const name = flag(args, '--name')
  assertName(name)
  if (inspect(name)) fatal(`instance ${quoteName(name)} already exists`)
  assertSocket(name)
  const text = loadTemplate(readFileSync(args.at(-1), 'utf8'))
  const problem = validate(parseConfig(text))
  if (problem)
    fatal(`the YAML is invalid, saved the buffer as ${quoteName('lima.REJECTED.yaml')}: ${problem}`)
  mkdirSync(instanceDir(name), { recursive: true, mode: 0o700 })
  writeFileSync(`${instanceDir(name)}/lima.yaml`, text, { mode: 0o644 })
  writeFileSync(`${instanceDir(name)}/lima-version`, version, { mode: 0o444 })
  tell('info', 'Terminal is not available, proceeding without opening an editor')
  const failure = createDisk(name, parseConfig(text))
  if (failure) fatal(failure)
  tell('info', `Run \`limactl start ${name}\` to start the instance.`)
}

function list(args) {
  const names = args.filter((each) => !each.startsWith('-'))
  const all = existsSync(home) ? readdirSync(home).filter((each) => !/^[._]/.test(each)) : []
  if (names.length === 0 && all.length === 0) {
    tell('warning', 'No instance found. Run `limactl create` to create an instance.')
    return
  }
  const chosen = names.length > 0 ? names.filter((each) => all.includes(each)) : all
  for (const missing of names.filter((each) => !all.includes(each)))
    tell('warning', `No instance matching ${missing} found.`)
  for (const name of chosen) {
    const found = inspect(name)
    if (!found)
      fatal(`unable to load instance ${name}: open ${instanceDir(name)}/lima.yaml: no such file or directory`)
    write(`${JSON.stringify(found)}\n`)
  }
  if (chosen.length < names.length) throw new End(1)
}

async function start(args) {
  const name = args.at(-1)
  const found = requireInstance(name)
  if (found.status === 'Running') {
    tell(
      'info',
      `The instance ${quoteName(name)} is already running. Run \`limactl shell ${name}\` to open the shell.`,
    )
    return
  }
  if (found.status !== 'Stopped')
    tell('warning', `expected status ${quoteName('Stopped')}, got ${quoteName(found.status)}`)
  const pidFile = `${found.dir}/ha.pid`
  if (existsSync(pidFile))
    fatal(
      `instance ${JSON.stringify(name)} seems running (hint: remove ${JSON.stringify(pidFile)} if the instance is not actually running)`,
    )
  tell('info', `Starting the instance ${JSON.stringify(name)} with internal VM driver "qemu"`)
  rmSync(`${found.dir}/ha.stdout.log`, { force: true })
  const agent = spawn(process.execPath, [main, 'hostagent', name], {
    detached: true,
    stdio: 'ignore',
  })
  agent.unref()
  const seconds = Number.parseInt(flag(args, '--timeout') ?? '600', 10)
  for (const since = Date.now(); Date.now() - since < seconds * 1000; await sleep(20)) {
    const events = existsSync(`${found.dir}/ha.stdout.log`)
      ? readFileSync(`${found.dir}/ha.stdout.log`, 'utf8')
      : ''
    if (events.includes('"exiting":true'))
      fatal(
        `exiting, status={Running:false Degraded:false Exiting:true} (hint: see ${JSON.stringify(`${found.dir}/ha.stderr.log`)})`,
      )
    if (!events.includes('"running":true')) continue
    tell('info', `READY. Run \`limactl shell ${name}\` to open the shell.`)
    return
  }
  fatal('did not receive an event with the "running" status')
}

async function stop(args) {
  const name = args.at(-1)
  const found = requireInstance(name)
  if (args.includes('--force') || args.includes('-f')) return stopForcibly(found)
  if (found.status !== 'Running')
    fatal(
      `expected status ${JSON.stringify('Running')}, got ${JSON.stringify(found.status)} (maybe use \`limactl stop -f\`?)`,
    )
  tell('info', `Sending SIGINT to hostagent process ${found.hostAgentPID}`)
  process.kill(found.hostAgentPID, 'SIGINT')
  tell('info', 'Waiting for the host agent and the driver processes to shut down')
  for (const since = Date.now(); Date.now() - since < 190_000; await sleep(20)) {
    if (inspect(name)?.status !== 'Stopped') continue
    tell('info', `The instance ${name} has shut down`)
    return
  }
  fatal('did not receive an event with the "exiting" status')
}

function stopForcibly({ name, dir, hostAgentPID, driverPID }) {
  for (const [what, pid] of [
    ['qemu driver', driverPID],
    ['host agent', hostAgentPID],
  ]) {
    if (!pid) {
      tell('info', `The ${what} process seems already stopped`)
      continue
    }
    tell('info', `Sending SIGKILL to the ${what} process ${pid}`)
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      tell('error', String(error))
    }
  }
  killContainer(name)
  unmountRoot(dir)
  tell('info', `Removing *.pid *.sock *.tmp under ${JSON.stringify(dir)}`)
  for (const file of readdirSync(dir)) if (/\.(pid|sock|tmp)$/.test(file)) unlinkSync(`${dir}/${file}`)
}

function remove(args) {
  for (const name of args.filter((each) => !each.startsWith('-'))) {
    const found = inspect(name)
    if (!found) {
      tell('warning', `Ignoring non-existent instance ${quoteName(name)}`)
      continue
    }
    if (!args.includes('--force') && found.status !== 'Stopped')
      fatal(
        `failed to delete instance ${quoteName(name)}: expected status "Stopped", got ${JSON.stringify(found.status)}`,
      )
    stopForcibly(found)
    rmSync(found.dir, { recursive: true, force: true })
    tell('info', `Deleted ${quoteName(name)} (${quoteName(found.dir)})`)
  }
}

function clone([from, to]) {
  const found = requireInstance(from, `instance ${quoteName(from)} not found`)
  if (found.status === 'Running') fatal('cannot clone a running instance')
  assertName(to)
  if (existsSync(instanceDir(to))) fatal(`instance ${JSON.stringify(to)} already exists`)
  assertSocket(to)
  copyInstance(found.dir, instanceDir(to))
}

/**
 * As in shell.go: every word is quoted, the line is quoted again, and the account's login shell runs it. Returns a script for what follows:
 * a session is not held by the server.
 */
function shell(args, terminal) {
  const workdir = flag(args, '--workdir')
  const [name, ...command] = args.filter(
    (each, index) => !each.startsWith('--') || index > args.findIndex((one) => !one.startsWith('--')),
  )
  const found = inspect(name)
  if (!found)
    fatal(
      `instance ${quoteName(name)} does not exist, run \`limactl create ${name}\` to create a new instance`,
    )
  if (found.status === 'Stopped') {
    // Version 1 asks, and takes it for a no where nobody can be asked.
    if (version.startsWith('1.')) throw new End(0)
    fatal(`instance ${quoteName(name)} is stopped, run \`limactl start ${name}\` to start the instance`)
  }
  const login = version.startsWith('1.') ? '--login' : '-l'
  const line = `${workdir ? `cd ${quote(workdir)} || exit 1` : 'false'} ; exec "$SHELL" ${login} -c ${quote(command.map(quote).join(' '))}`
  const session = (terminal ? terminalArgv(name, line) : attachArgv(name, line)).map(quoteWord).join(' ')
  // ssh's code when the other side is gone.
  return `${session}
code=$?
kill -0 "$(<${quoteWord(`${found.dir}/qemu.pid`)})" 2>/dev/null || exit 255
exit $code`
}

/** shellescape.Quote */
function quote(word) {
  if (word === '') return "''"
  return /[^\w@%+=:,./-]/.test(word) ? `'${word.replaceAll("'", `'"'"'`)}'` : word
}

function snapshot([action, name, ...rest]) {
  tell('warning', '`limactl snapshot` is experimental')
  const found = requireInstance(name)
  if (action === 'list') {
    for (const tag of listTags(found.dir)) write(`${tag}\n`)
    return
  }
  const tag = flag(rest, '--tag')
  if (!tag) fatal('expected tag')
  const failure = snapshotDisk(found, { action, tag })
  if (failure) fatal(failure)
}

function validateFiles(files) {
  for (const file of files) {
    const problem = validate(parseConfig(loadTemplate(readFileSync(file, 'utf8'))))
    if (problem) fatal(`failed to load YAML file ${quoteName(file)}: ${problem}`)
    tell('info', `${quoteName(file)}: OK`)
  }
}

/** Value of `--flag=value`. */
function flag(args, name) {
  return args.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1)
}

const commands = {
  create,
  list,
  start,
  stop,
  delete: remove,
  clone,
  shell,
  snapshot,
  validate: validateFiles,
  hostagent: ([name]) => serve(name),
}

/** Without an option that answers nothing here. */
export const wordsOf = (argv) => argv.filter((word, index) => index > 0 || word !== '--tty=false')

/** Returns the code that it ends with, or what it runs as a script from there on. */
export async function runLimactl(argv, terminal) {
  const [command = '', ...rest] = wordsOf(argv)
  try {
    if (command === '--version') write(`limactl version ${version}\n`)
    else if (Object.hasOwn(commands, command) && !(command === 'clone' && /^1\.[01]\./.test(version)))
      return { code: 0, script: await commands[command](rest, terminal) }
    else fatal(`unknown command ${JSON.stringify(command)} for "limactl"`)
    return { code: 0 }
  } catch (error) {
    if (error instanceof End) return { code: error.code }
    throw error
  }
}
