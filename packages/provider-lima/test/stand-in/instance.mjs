// What the stand-in knows of an instance: pkg/store/instance.go.
import { existsSync, readFileSync, unlinkSync } from 'node:fs'
import { write } from './caller.mjs'
import { parseConfig, parseSize } from './parse.mjs'

export const version = process.env.HOLM_STAND_IN_VERSION ?? '2.1.4'
export const home = process.env.LIMA_HOME ?? `${process.env.HOME}/.lima`

export const instanceDir = (name) => `${home}/${name}`

/** %q until version 1, %#q since. */
export const quoteName = (name) => (version.startsWith('1.') ? JSON.stringify(name) : `\`${name}\``)

/** One line of logrus, as it writes when stderr is no terminal. */
export function tell(level, message) {
  const time = new Date().toISOString().replace(/\.\d+Z/, 'Z')
  const said = /^[\w.-]+$/.test(message) ? message : JSON.stringify(message)
  write(`time="${time}" level=${level} msg=${said}\n`, 2)
}

/** 0 when there is none or it has died, in which case the file is removed. */
export function readPid(file) {
  if (!existsSync(file)) return 0
  const pid = Number(readFileSync(file, 'utf8').trim())
  try {
    process.kill(pid, 0)
    return pid
  } catch {
    unlinkSync(file)
    return 0
  }
}

export const pidOf = (name) => readPid(`${instanceDir(name)}/qemu.pid`)

/** inspectStatusWithPIDFiles */
function describeStatus(hostAgentPID, driverPID) {
  if (hostAgentPID && driverPID) return { status: 'Running', errors: [] }
  if (hostAgentPID) return { status: 'Broken', errors: ['host agent is running but driver is not'] }
  if (driverPID) return { status: 'Broken', errors: ['qemu driver is running but host agent is not'] }
  return { status: 'Stopped', errors: [] }
}

const defaults = { vmType: 'qemu', cpus: 4, memory: '4GiB', disk: '100GiB' }

/** Undefined when the instance does not exist. The keys are those of Lima's JSON. */
export function inspect(name) {
  const dir = instanceDir(name)
  if (!existsSync(`${dir}/lima.yaml`)) return undefined
  const config = { ...defaults, ...parseConfig(readFileSync(`${dir}/lima.yaml`, 'utf8')) }
  const hostAgentPID = readPid(`${dir}/ha.pid`)
  const driverPID = readPid(`${dir}/qemu.pid`)
  const { status, errors } = describeStatus(hostAgentPID, driverPID)
  return {
    name,
    hostname: `lima-${name}`,
    status,
    dir,
    vmType: config.vmType,
    arch: 'x86_64',
    cpus: config.cpus,
    memory: parseSize(config.memory),
    disk: parseSize(config.disk),
    sshLocalPort: 60022,
    sshConfigFile: `${dir}/ssh.config`,
    ...(hostAgentPID && { hostAgentPID }),
    ...(driverPID && { driverPID }),
    config,
    sshAddress: '127.0.0.1',
    protected: false,
    limaVersion: version,
    HostOS: 'linux',
    HostArch: 'x86_64',
    LimaHome: home,
    IdentityFile: `${home}/_config/user`,
    ...(errors.length > 0 && { errors }),
  }
}
