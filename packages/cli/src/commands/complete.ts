import type { BuiltinCommand } from '../builtin.ts'

/** What the completion scripts call. Built-in commands and flags are answered without a host. */
export function createComplete(builtins: () => readonly BuiltinCommand[]): BuiltinCommand {
  return {
    id: '__complete',
    hidden: true,
    hostless: true,
    summary: 'Answer a completion script.',
    rest: {
      name: 'WORDS',
      description: 'The words after holm; the last one is being typed.',
      required: false,
    },
    examples: [],
    async run({ rest, commands, openHost }) {
      const { completeWords, renderCompletion } = await import('../completion/complete.ts')
      const first = rest[0] ?? ''
      const isBuiltin =
        rest.length > 1 && builtins().some(({ id }) => id === first || id.startsWith(`${first} `))
      const tables = isBuiltin ? builtins() : await commands()
      const found = await completeWords(rest, { tables, openHost })
      return { data: found, text: renderCompletion(found) }
    },
  }
}
