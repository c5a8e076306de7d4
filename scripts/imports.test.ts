import { expect, it } from 'vitest'
import { collectImports } from './imports.ts'

it('tells run-time imports from erased ones', () => {
  const source = [
    'import { a,',
    "  b } from 'several-lines'",
    "import type { T } from 'erased'",
    "export type { U } from './erased-too.ts'",
    "export * from './star.ts'",
    "import 'side-effect'",
    "const late = await import('late')",
    "/** import x from 'comment' */",
    "// import y from 'line-comment'",
    "export const from = 'not an import'",
  ].join('\n')
  expect(collectImports(source)).toEqual([
    { specifier: 'several-lines', typeOnly: false },
    { specifier: 'erased', typeOnly: true },
    { specifier: './erased-too.ts', typeOnly: true },
    { specifier: './star.ts', typeOnly: false },
    { specifier: 'side-effect', typeOnly: false },
    { specifier: 'late', typeOnly: false },
  ])
})
