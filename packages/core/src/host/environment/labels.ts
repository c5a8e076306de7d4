import type { EnvironmentSpec } from '../../spec.ts'
import type { EnvironmentState } from '../../provider.ts'
import type { EnvironmentRecord, RecordDetails } from '../state/index.ts'

/** Label keys. They are the truth for what exists: a lost state file is rebuilt from them. */
export const labelKeys = {
  namespace: 'dev.holm.namespace',
  environment: 'dev.holm.environment',
  blueprint: 'dev.holm.blueprint',
  source: 'dev.holm.source',
  project: 'dev.holm.project',
  hash: 'dev.holm.hash',
  exec: 'dev.holm.exec',
  /** Of a companion: JSON of the environment and the service that it is. */
  companion: 'dev.holm.companion',
  /** Hash of a golden image: such an environment is hidden, stopped, and only cloned. */
  golden: 'holm.golden',
} as const

export interface LabelInput {
  readonly namespace: string
  readonly spec: EnvironmentSpec
  readonly hash: string
}

/** No value of the environment's variables or secrets ever goes into a label. */
export function labelsOf({ namespace, spec, hash }: LabelInput): Record<string, string> {
  return {
    [labelKeys.namespace]: namespace,
    [labelKeys.environment]: spec.name,
    [labelKeys.blueprint]: spec.origin.blueprint,
    [labelKeys.source]: spec.origin.source,
    [labelKeys.project]: spec.origin.project,
    [labelKeys.hash]: hash,
    [labelKeys.exec]: JSON.stringify({ user: spec.exec.user, workdir: spec.exec.workdir }),
    ...(spec.companion && {
      [labelKeys.companion]: JSON.stringify({
        environment: spec.companion.of,
        service: spec.companion.service,
      }),
    }),
  }
}

export function isGolden({ labels }: Pick<EnvironmentState, 'labels'>): boolean {
  return labels[labelKeys.golden] !== undefined
}

/** The record that an environment's labels amount to. */
export function recordFromLabels(namespace: string, state: EnvironmentState): EnvironmentRecord {
  const { labels } = state
  return {
    namespace,
    name: state.name,
    provider: state.provider,
    phase: 'ready',
    project: labels[labelKeys.project] ?? '',
    source: labels[labelKeys.source] ?? '',
    hash: labels[labelKeys.hash] ?? '',
    createdAt: state.createdAt ?? new Date().toISOString(),
    details: {
      blueprint: labels[labelKeys.blueprint] ?? '',
      ...parseExec(labels[labelKeys.exec]),
      ...parseCompanion(labels[labelKeys.companion]),
    },
  }
}

function parseCompanion(label: string | undefined): Pick<RecordDetails, 'partOf'> {
  try {
    const { environment, service } = JSON.parse(label ?? '{}') as Record<string, unknown>
    if (typeof environment !== 'string' || typeof service !== 'string') return {}
    return { partOf: { environment, service } }
  } catch {
    return {}
  }
}

function parseExec(label: string | undefined): { user?: string; workdir?: string } {
  try {
    const { user, workdir } = JSON.parse(label ?? '{}') as { user?: string; workdir?: string }
    return { ...(user === undefined ? {} : { user }), ...(workdir === undefined ? {} : { workdir }) }
  } catch {
    return {}
  }
}
