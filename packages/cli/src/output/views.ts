import type { EnvironmentInfo, PortBinding, Table, UpResult } from '@holm/core'
import { formatAge, formatBytes, formatDuration } from './units.ts'
import { padText } from './width.ts'

export type Fact = readonly [key: string, value: string | undefined]

/** Lines of `key  value`, the keys padded to one width; entries without a value are left out. */
export function renderFacts(facts: readonly Fact[]): string {
  const shown = facts.filter(
    (fact): fact is readonly [string, string] => fact[1] !== undefined && fact[1] !== '',
  )
  const width = Math.max(0, ...shown.map(([key]) => key.length))
  return shown
    .map(([key, value]) => `${padText(key, width)}  ${value.replaceAll('\n', `\n${' '.repeat(width + 2)}`)}`)
    .join('\n')
}

/** `http://127.0.0.1:8080 -> 8080`; UDP and other addresses without a scheme. */
export function formatPort({ container, host, hostIp, protocol }: PortBinding): string {
  const ip = hostIp === '0.0.0.0' || hostIp === '::' ? '127.0.0.1' : hostIp
  const address = `${ip.includes(':') ? `[${ip}]` : ip}:${host}`
  return `${protocol === 'tcp' ? `http://${address}` : `udp ${address}`} -> ${container}`
}

export function createEnvironmentTable(environments: readonly EnvironmentInfo[], now: number): Table {
  return {
    columns: ['name', 'status', 'provider', 'blueprint', 'ports', 'age', 'project'],
    rows: environments.map((environment) => [
      environment.name,
      environment.status,
      environment.provider,
      environment.partOf === undefined
        ? environment.blueprint
        : `service ${environment.partOf.service} of ${environment.partOf.environment}`,
      environment.ports
        .map(({ host, container }) => (host === container ? `${host}` : `${host}->${container}`))
        .join(' '),
      formatAge(environment.createdAt, now),
      environment.project,
    ]),
    empty: 'No environments. Make one with holm up.',
  }
}

export function renderEnvironment(environment: EnvironmentInfo, now: number): string {
  const { name, status, provider, blueprint, source, project, reason, user, workdir } = environment
  return renderFacts([
    ['name', name],
    ['status', reason === undefined ? status : `${status}: ${reason}`],
    ['provider', provider],
    ['blueprint', environment.partOf === undefined ? `${blueprint} (${source})` : blueprint],
    ['service', environment.partOf && `${environment.partOf.service} of ${environment.partOf.environment}`],
    ['project', project],
    [
      'created',
      environment.createdAt && `${environment.createdAt} (${formatAge(environment.createdAt, now)} ago)`,
    ],
    [
      'started',
      environment.startedAt && `${environment.startedAt} (${formatAge(environment.startedAt, now)} ago)`,
    ],
    ['user', user],
    ['workdir', workdir],
    ['ports', environment.ports.map(formatPort).join('\n')],
    ['limits', environment.limits.map(formatLimit).join('\n')],
    ['looser', environment.looser.join('\n')],
  ])
}

function formatLimit({ name, value, enforcedBy }: EnvironmentInfo['limits'][number]): string {
  const amount = name === 'memory' || name === 'disk' ? formatBytes(value) : String(value)
  return `${name} ${amount} (${enforcedBy ?? 'not enforced'})`
}

export interface UpView {
  readonly verbose: boolean
  /** `holm shell` needs no name: the environment is the one of this folder. */
  readonly isFolderDefault: boolean
  readonly elapsedMs: number
}

/** What `up` ends with: the outcome, what changed, ports, how to enter, step times. Warnings came as events. */
export function renderUp(result: UpResult, view: UpView): string {
  const { environment, outcome, changed, selection } = result
  const name = view.isFolderDefault ? '' : ` ${environment.name}`
  const head = `${environment.name} is ${describeOutcome(outcome)} on ${environment.provider} (${formatDuration(view.elapsedMs)})`
  if (outcome === 'running' && changed.length === 0 && !view.verbose) return head
  return [
    head,
    renderFacts([
      ['why', view.verbose ? selection.reason : undefined],
      ['passed over', view.verbose ? renderRejected(selection) : undefined],
      ['changed', changed.length === 0 ? undefined : renderChanged(changed, name)],
      ['image', result.image === undefined ? undefined : `${result.image}: nothing had to be installed`],
      ['steps', renderSteps(result)],
      ['ports', environment.ports.map(formatPort).join('\n')],
      ['enter', `holm shell${name}`],
      ['run', `holm exec${name} -- COMMAND`],
    ]),
  ].join('\n')
}

function describeOutcome(outcome: UpResult['outcome']): string {
  const words = {
    created: 'created and running',
    started: 'started',
    running: 'already running',
    recreated: 'made anew',
  }
  return words[outcome]
}

function renderChanged(changed: readonly string[], name: string): string {
  return `${changed.join(', ')}: not applied to the running environment\nholm up${name} --recreate removes it and makes it anew`
}

function renderRejected({ considered }: UpResult['selection']): string {
  const rejected = considered.filter(({ fits }) => !fits)
  return rejected.map(({ id, reasons }) => `${id}: ${reasons.join('; ')}`).join('\n')
}

function renderSteps({ steps }: UpResult): string {
  return steps
    .filter(({ skipped, elapsedMs }) => skipped === undefined && elapsedMs >= 1)
    .map(({ step, elapsedMs }) => `${step} ${formatDuration(elapsedMs)}`)
    .join(', ')
}
