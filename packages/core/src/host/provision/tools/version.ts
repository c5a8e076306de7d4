import { HolmError } from '../../../errors.ts'

export type ToolName = 'node' | 'python' | 'go' | 'rust' | 'java'

export const toolNames: readonly ToolName[] = ['node', 'python', 'go', 'rust', 'java']

const wantedForm = /^(?:lts|latest|stable|v?\d+(?:\.\d+){0,2}(?:\.x)?)$/

/** HOLM_BLUEPRINT_INVALID for a tool holm does not install or a version of a form it does not read. */
export function assertTool(name: string, wanted: string): asserts name is ToolName {
  const details = { key: `tools.${name}`, value: wanted }
  if (!toolNames.includes(name as ToolName)) {
    throw new HolmError('HOLM_BLUEPRINT_INVALID', `"${name}" is no tool that holm installs`, {
      hint: `Use one of ${toolNames.join(', ')}, or list it under packages.`,
      details,
    })
  }
  if (wantedForm.test(wanted)) return
  throw new HolmError('HOLM_BLUEPRINT_INVALID', `version "${wanted}" of tool ${name} cannot be read`, {
    hint: 'Write a version or the beginning of one ("20", "3.11", "1.22.4"), "lts" or "latest".',
    details,
  })
}

/** The version a tool or a package manager prints, as numbers: "2:1.19~1" is [1, 19], "17.0.13+11-2" is [17, 0, 13]. */
export function parseVersion(text: string): readonly number[] | undefined {
  const found = /(\d+(?:\.\d+)*)/.exec(text.trim().replace(/^\d+:/, ''))?.[1]
  return found?.split('.').map(Number)
}

/** Java before 9 and Debian's default-jdk write 17 as 1.17. */
function normalise(tool: ToolName, version: readonly number[]): readonly number[] {
  return tool === 'java' && version[0] === 1 ? version.slice(1) : version
}

const javaLts = new Set([8, 11, 17, 21, 25])

function isLts(tool: ToolName, major: number): boolean {
  if (tool === 'node') return major % 2 === 0
  return tool === 'java' ? javaLts.has(major) : true
}

/** Does the version meet what was asked? "latest" and "stable" take any, "lts" any long-term one. Pure. */
export function satisfies(tool: ToolName, version: string, wanted: string): boolean {
  const found = parseVersion(version)
  if (!found) return false
  const actual = normalise(tool, found)
  if (wanted === 'latest' || wanted === 'stable') return true
  if (wanted === 'lts') return isLts(tool, actual[0] ?? 0)
  const asked = wanted.replace(/^v/, '').replace(/\.x$/, '').split('.').map(Number)
  return asked.every((part, index) => part === actual[index])
}

/** Numeric order of versions, oldest first. */
export function compareVersions(left: string, right: string): number {
  const a = parseVersion(left) ?? []
  const b = parseVersion(right) ?? []
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
