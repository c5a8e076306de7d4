// `npm start`: sets holm up, then does its main job once in examples/hello.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { say } from './bootstrap/progress.mjs'
import { SetupError } from './bootstrap/run.mjs'
import { root, runMain, setup } from './setup.mjs'

const example = join(root, 'examples', 'hello')
const cli = join(root, 'packages', 'cli', 'bin', 'holm.js')

/**
 * Runs holm in the example with the terminal's own streams.
 * @param {string} node
 * @param {readonly string[]} args
 * @returns {Promise<void>}
 */
function holm(node, args) {
  say(`\n$ holm ${args.join(' ')}`)
  return new Promise((resolve, reject) => {
    const child = spawn(node, [cli, ...args], { cwd: example, stdio: 'inherit' })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve()
      else reject(new SetupError(`holm ${args.join(' ')} ended with exit code ${code}`))
    })
  })
}

await runMain(async () => {
  const { node } = await setup()
  // `npm start -- --provider sandbox` passes its flags on to `holm up`.
  await holm(node, ['up', ...process.argv.slice(2)])
  await holm(node, ['exec', '--', './hello.sh'])
  say(
    [
      '\nThat program ran inside an environment made from examples/hello/holm.yaml. Next:',
      '  cd examples/hello',
      '  ../../bin/holm shell         a shell inside',
      '  ../../bin/holm list          what is running',
      '  ../../bin/holm destroy       remove it again',
      '  ../../bin/holm --help        everything else',
    ].join('\n'),
  )
})
