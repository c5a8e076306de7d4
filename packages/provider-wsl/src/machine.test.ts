import { createTestContext } from '@holm/testkit'
import { expect, it } from 'vitest'
import { createMachine, parseAutomountRoot } from './machine.ts'
import { isWslKernel } from './probe.ts'

it("on Windows everything is in the user's local data", async () => {
  const env = { LOCALAPPDATA: 'C:\\Users\\It is me\\AppData\\Local', SystemRoot: 'D:\\Windows' }
  const machine = createMachine({ platform: 'win32', namespace: 'n', env })
  expect(machine.wsl).toBe('D:\\Windows\\System32\\wsl.exe')
  expect(await machine.folder(createTestContext())).toBe('C:\\Users\\It is me\\AppData\\Local\\holm\\wsl\\n')
  expect(machine.parsePath('C:\\x')).toEqual({ kind: 'drive', windows: 'C:\\x' })
  const bare = createMachine({ platform: 'win32', namespace: 'n', env: {} })
  await expect(bare.folder(createTestContext())).rejects.toMatchObject({ code: 'HOLM_PROVIDER_UNAVAILABLE' })
})

it('inside a distribution paths of drives are those of Windows, all others are its own', () => {
  const machine = createMachine({
    platform: 'linux',
    namespace: 'n',
    env: { WSL_DISTRO_NAME: 'Me' },
    drives: '/win',
  })
  expect(machine.wsl).toBe('/win/c/Windows/System32/wsl.exe')
  expect(machine.toWindows('/win/d/a b')).toBe('D:\\a b')
  expect(machine.toWindows('/home/me')).toBe('\\\\wsl.localhost\\Me\\home\\me')
  expect(machine.side).toBe('linux:Me')
})

it('the automount root is read from wsl.conf', () => {
  expect(parseAutomountRoot('')).toBe('/mnt/')
  expect(
    parseAutomountRoot('[network]\nroot = /no\n[automount]\nenabled=true\n root = "/win dows/" # x\n'),
  ).toBe('/win dows/')
  expect(parseAutomountRoot('[automount]\nroot=/')).toBe('/')
})

it('a kernel of WSL says so', () => {
  expect(isWslKernel('Linux version 6.6.87.2-microsoft-standard-WSL2 (root@buildkitsandbox)')).toBe(true)
  expect(isWslKernel('Linux version 6.1.0-30-amd64 (debian-kernel@lists.debian.org)')).toBe(false)
})
