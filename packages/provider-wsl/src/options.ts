import type { EnvironmentSpec, StandardIssue, StandardSchema } from '@holm/core'
import { checkSections, profileNames, type ConfSections, type ProfileName } from './wsl-conf.ts'

/** The `wsl` section of a blueprint. */
export interface WslBlueprintOptions {
  /** A named set of settings for /etc/wsl.conf. */
  readonly profile?: ProfileName
  /** Settings of /etc/wsl.conf by section and key; they win over the profile's. */
  readonly sections?: ConfSections
}

export const optionsSchema: StandardSchema<WslBlueprintOptions> = {
  '~standard': {
    version: 1,
    vendor: 'holm',
    validate(value) {
      if (value === undefined || value === null) return { value: {} }
      if (typeof value !== 'object' || Array.isArray(value))
        return { issues: [{ message: 'must be an object' }] }
      const issues = Object.entries(value).flatMap(([key, item]) => checkOption(key, item))
      return issues.length > 0 ? { issues } : { value }
    },
  },
}

function checkOption(key: string, value: unknown): readonly StandardIssue[] {
  if (key === 'sections')
    return checkSections(value).map(({ message, path }) => ({ message, path: [key, ...path] }))
  if (key !== 'profile') return [{ message: 'unknown key; known are profile, sections', path: [key] }]
  if (profileNames.some((name) => name === value)) return []
  return [{ message: `must be one of ${profileNames.join(', ')}`, path: [key] }]
}

/** Validated by the host; read here. */
export function optionsOf(spec: Pick<EnvironmentSpec, 'options'>): WslBlueprintOptions {
  return spec.options['wsl'] ?? {}
}

/** The plugin's own configuration, section `plugin.wsl`. */
export interface WslConfig {
  /** wsl.exe, where it is not in its usual place. */
  readonly wsl?: string
  /** Folder of this machine for disks and records; it must lie on a drive of Windows. */
  readonly folder?: string
}

export const configSchema: StandardSchema<WslConfig> = {
  '~standard': {
    version: 1,
    vendor: 'holm',
    validate(value) {
      const given = (value ?? {}) as Record<string, unknown>
      const issues = Object.entries(given).flatMap(([key, item]) => {
        if (key !== 'wsl' && key !== 'folder')
          return [{ message: 'unknown key; known are wsl, folder', path: [key] }]
        return typeof item === 'string' && item !== '' ? [] : [{ message: 'must be a path', path: [key] }]
      })
      return issues.length > 0 ? { issues } : { value: given }
    },
  },
}
