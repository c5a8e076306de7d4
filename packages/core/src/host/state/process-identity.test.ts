import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { currentProcess, isAlive } from './process-identity.ts'

it('tells this process from one that had its number before', () => {
  const self = currentProcess()
  expect(isAlive(self)).toBe(true)
  expect(isAlive({ ...self, startedAt: `${self.startedAt}0` })).toBe(process.platform !== 'linux')
})

it('takes one that has ended, and that nobody has waited for, for ended', async (ctx) => {
  if (process.platform !== 'linux') ctx.skip('the state of a process is read from /proc')
  // The parent becomes a program that never looks after its children.
  const parent = spawn('sh', ['-c', 'sleep 600 & echo $!; exec sleep 600'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  onTestFinished(() => void parent.kill('SIGKILL'))
  const [line] = (await parent.stdout.take(1).toArray()) as Buffer[]
  const pid = Number(line?.toString())
  const fields = (): string[] => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  }
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  const identity = { pid, startedAt: `${boot}:${fields()[19]}` }
  expect(isAlive(identity)).toBe(true)
  process.kill(pid, 'SIGKILL')
  const deadline = Date.now() + 30_000
  while (fields()[0] !== 'Z' && Date.now() < deadline) await setTimeout(10)
  expect(isAlive(identity)).toBe(false)
})
