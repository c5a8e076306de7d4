import { constants } from 'node:os'
import { expect, it } from 'vitest'
import { signalName, signalNumber } from './signals.ts'

it('signals have the numbers of Linux, on every machine', () => {
  expect(signalNumber('SIGUSR1')).toBe(10)
  expect(signalNumber('SIGSTOP')).toBe(19)
  expect(signalNumber('SIGINFO')).toBe(signalNumber('SIGTERM'))
  expect(signalName(signalNumber('SIGUSR2'))).toBe('SIGUSR2')
  expect(signalName(64)).toBeUndefined()
  if (process.platform !== 'linux') return
  for (const [name, number] of Object.entries(constants.signals))
    expect(signalNumber(name as NodeJS.Signals), name).toBe(number)
})
