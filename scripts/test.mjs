// `npm test`: sets holm up, then hands over to scripts/testing/run.ts on Node 24.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { root, runMain, setup } from './setup.mjs'

await runMain(async () => {
  const { node, env } = await setup()
  const child = spawn(node, [join(root, 'scripts', 'testing', 'run.ts'), ...process.argv.slice(2)], {
    cwd: root,
    env,
    stdio: 'inherit',
  })
  // The child stops what it started; this process only waits for it. Ctrl-C reaches both by itself.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  process.on('SIGHUP', () => child.kill('SIGHUP'))
  // npm dies of a SIGTERM without passing it on: losing the parent means that nobody waits for us any more.
  const parent = process.ppid
  const watch = setInterval(() => process.ppid === parent || child.kill('SIGTERM'), 500)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      clearInterval(watch)
      resolve(code ?? 1)
    })
  })
})
