/** A value as YAML for people. */
export async function renderYaml(value: unknown): Promise<string> {
  const { stringify } = await import('yaml')
  return stringify(value, { lineWidth: 0 }).trimEnd()
}
