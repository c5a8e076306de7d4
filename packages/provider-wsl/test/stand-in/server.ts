/** Answers for the processes that are wsl.exe: see scripts/testing/stand-in-server.ts. */
import { quoteWord, serveCalls, writing, type Call } from '../../../../scripts/testing/stand-in-server.ts'
import { callers, root } from './world.ts'
import { runWsl } from './wsl.ts'

/** What takes long dies with the process, as tests that kill it expect. */
const takesLong = new Set(['--import', '--import-in-place', '--export'])

async function answer({ argv, ...call }: Call): Promise<string | undefined> {
  if (takesLong.has(argv[0] ?? '')) return undefined
  const written: Buffer[] = []
  let program: string | undefined
  const caller = {
    ...call,
    write: (bytes: Buffer) => void written.push(bytes),
    become: (words: readonly string[], env: Readonly<Record<string, string>>) => {
      const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`)
      program = `cd /; exec env -i ${[...variables, ...words].map(quoteWord).join(' ')}`
    },
  }
  const code = await callers.run(caller, () => runWsl(argv))
  return `${writing(Buffer.concat(written))}${program ?? `exit ${code}`}`
}

serveCalls(root, answer)
