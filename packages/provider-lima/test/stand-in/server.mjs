// Answers for the processes that are limactl: see scripts/testing/stand-in-server.ts.
import path from 'node:path'
import { serveCalls, writing } from '../../../../scripts/testing/stand-in-server.ts'
import { callers } from './caller.mjs'
import { home } from './instance.mjs'
import { runLimactl, wordsOf } from './limactl.mjs'

/** What takes long dies with the process, as tests that kill it expect. */
const takesLong = new Set(['create', 'clone', 'hostagent'])

serveCalls(path.dirname(home), async ({ argv, terminal }) => {
  if (takesLong.has(wordsOf(argv)[0])) return undefined
  const written = []
  const { code, script } = await callers.run(written, () => runLimactl(argv, terminal))
  const output = written.map(({ text, descriptor }) => writing(Buffer.from(text), descriptor))
  return `${output.join('')}${script ?? `exit ${code}`}`
})
