export interface Import {
  readonly specifier: string
  /** Erased when types are stripped: costs nothing at run time. */
  readonly typeOnly: boolean
}

const statement = /^\s*(?:import|export)\s+(type\s+)?(?:[\w$*\s{},]+?\s+from\s+)?['"]([^'"]+)['"]/gm
const dynamic = /(?<!typeof )\bimport\(\s*['"]([^'"]+)['"]/g

/**
 * The modules that a file's import statements name. A pattern is enough, because oxfmt keeps the statements in one
 * shape and verbatimModuleSyntax makes `import type` the only erased form.
 */
export function collectImports(source: string): Import[] {
  const code = withoutComments(source)
  const statements = [...code.matchAll(statement)].map((found) => ({
    specifier: found[2] ?? '',
    typeOnly: found[1] !== undefined,
  }))
  const loaded = [...code.matchAll(dynamic)].map((found) => ({ specifier: found[1] ?? '', typeOnly: false }))
  return [...statements, ...loaded]
}

/** Examples in comments are not imports; line comments are only dropped at a line's start, because of URLs in strings. */
function withoutComments(source: string): string {
  return source.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')
}
