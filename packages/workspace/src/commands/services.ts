import { HolmError } from '@holm/core'
import type { CommandInput, CommandResult, EnvironmentInfo, FlagDefinition } from '@holm/core'
import { startServices, stopServices } from '../services/runner.ts'
import { isInside, statusOf, type Served } from '../services/ways.ts'
import { script } from '../services/inside.ts'
import { tailLog } from '../services/scripts.ts'
import type { WorkspaceCommand } from './command.ts'

const environmentFlag = {
  type: 'string',
  char: 'e',
  description: 'Environment; absent: the one of the current folder.',
  completes: 'environment',
} as const satisfies FlagDefinition

const serviceArg = { name: 'service', description: 'Name of the service.', required: true } as const
const serviceArgOrAll = { name: 'service', description: 'Name of the service; absent: all.' } as const

/** The environment that is meant, which must run, and a way in. */
async function enter({ flags, cwd, signal, host }: CommandInput): Promise<Served> {
  const name = typeof flags['environment'] === 'string' ? flags['environment'] : undefined
  const environment = await host.status(name, { signal, projectFolder: cwd })
  return {
    environment,
    signal,
    exec: (request) => host.exec({ ...request, environment: environment.name, signal }),
    companions: host.companions(environment.name, { signal }),
  }
}

/** HOLM_SERVICE_NOT_FOUND unless the blueprint has it. */
function assertService(
  { name, services }: EnvironmentInfo,
  wanted: string | undefined,
): readonly string[] | undefined {
  if (wanted === undefined) return undefined
  const names = services.map((service) => service.name)
  if (names.includes(wanted)) return [wanted]
  throw new HolmError(
    'HOLM_SERVICE_NOT_FOUND',
    `environment ${name} has no service ${JSON.stringify(wanted)}`,
    {
      hint: names.length === 0 ? 'Its blueprint has none.' : `It has: ${names.join(', ')}`,
      details: { environment: name, service: wanted },
    },
  )
}

function neverStarted({ name }: EnvironmentInfo, service: string): HolmError {
  return new HolmError('HOLM_SERVICE_NOT_FOUND', `service ${service} of ${name} was not started yet`, {
    hint: `Start it with: holm service start ${service} -e ${name}`,
    details: { environment: name, service },
  })
}

async function describe(served: Served): Promise<CommandResult> {
  const { environment, companions } = served
  const known = new Map((await statusOf(served)).map((status) => [status.name, status]))
  const beside = environment.services.every(isInside) ? [] : await companions.list()
  const all = environment.services.map((service) => {
    const status = known.get(service.name)
    const home = beside.find((each) => each.service === service.name)
    const { ports } = home ?? environment
    return {
      name: service.name,
      state: status?.state ?? 'stopped',
      exitCode: status?.exitCode ?? null,
      restarts: status?.restarts ?? 0,
      ports: service.ports.map(
        ({ container }) => ports.find((port) => port.container === container) ?? { container },
      ),
      dependsOn: service.dependsOn,
      environment: service.container === undefined ? environment.name : (home?.name ?? null),
    }
  })
  return {
    data: all,
    table: {
      columns: ['name', 'state', 'exit code', 'restarts', 'ports', 'needs', 'runs in'],
      rows: all.map(({ name, state, exitCode, restarts, ports, dependsOn, environment: home }) => [
        name,
        state,
        exitCode === null ? '' : String(exitCode),
        String(restarts),
        ports
          .map((port) => ('host' in port ? `${port.host}->${port.container}` : String(port.container)))
          .join(' '),
        dependsOn.join(' '),
        home ?? '',
      ]),
      empty: `The blueprint of ${environment.name} has no services.`,
    },
  }
}

export const serviceList: WorkspaceCommand = {
  id: 'service list',
  aliases: ['service ls'],
  summary: 'List the services of an environment.',
  flags: { environment: environmentFlag },
  examples: [{ command: 'holm service list', description: 'Those of the environment of this folder.' }],
  run: async (input) => describe(await enter(input)),
}

export const serviceStart: WorkspaceCommand = {
  id: 'service start',
  summary: 'Start services, and what they need first.',
  description: 'holm up and holm start do it for all of them.',
  args: [serviceArgOrAll],
  flags: { environment: environmentFlag },
  examples: [{ command: 'holm service start web', description: 'Start one with what it depends on.' }],
  async run(input) {
    const served = await enter(input)
    const names = assertService(served.environment, input.args['service'])
    await startServices(served, names ?? served.environment.services.map(({ name }) => name))
    return describe(served)
  },
}

export const serviceStop: WorkspaceCommand = {
  id: 'service stop',
  summary: 'Stop services, and what needs them first.',
  args: [serviceArgOrAll],
  flags: { environment: environmentFlag },
  examples: [{ command: 'holm service stop db', description: 'Stop one, after those that depend on it.' }],
  async run(input) {
    const served = await enter(input)
    await stopServices(served, assertService(served.environment, input.args['service']))
    return describe(served)
  },
}

export const serviceRestart: WorkspaceCommand = {
  id: 'service restart',
  summary: 'Stop and start services; what needs them is stopped, and started again after them.',
  args: [serviceArgOrAll],
  flags: { environment: environmentFlag },
  examples: [{ command: 'holm service restart web', description: 'After a change of its configuration.' }],
  async run(input) {
    const served = await enter(input)
    const names = assertService(served.environment, input.args['service'])
    const before = (await statusOf(served)).filter(({ state }) => state === 'running' || state === 'waiting')
    await stopServices(served, names)
    const again = [...(names ?? []), ...before.map(({ name }) => name)]
    await startServices(served, names === undefined ? undefined : again)
    return describe(served)
  },
}

export const serviceLogs: WorkspaceCommand = {
  id: 'service logs',
  summary: 'Show what a service wrote.',
  args: [serviceArg],
  flags: {
    environment: environmentFlag,
    follow: { type: 'boolean', char: 'f', description: 'Go on until Ctrl-C.' },
    tail: { type: 'integer', description: 'Only the last lines, this many.', default: 100 },
  },
  examples: [{ command: 'holm service logs web -f', description: 'Follow one.' }],
  async run(input) {
    const { environment, companions } = await enter(input)
    const [name = ''] = assertService(environment, input.args['service']) ?? []
    const tail = String(input.flags['tail'])
    const follow = input.flags['follow'] === true
    if (environment.services.some((each) => each.name === name && each.container !== undefined)) {
      const home = (await companions.list()).find((each) => each.service === name)
      if (home === undefined) throw neverStarted(environment, name)
      return { data: null, next: ['logs', home.name, '--tail', tail, ...(follow ? ['--follow'] : [])] }
    }
    const words = ['-n', tail, ...(follow ? ['-f'] : [])]
    const { argv } = script(tailLog, [name, ...words])
    return { data: null, next: ['exec', environment.name, '--no-tty', '--', ...argv] }
  },
}
