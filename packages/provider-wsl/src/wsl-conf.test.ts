import { describe, expect, it } from 'vitest'
import { optionsSchema } from './options.ts'
import {
  assertDrivesVisible,
  checkSections,
  profileNames,
  profiles,
  renderConf,
  resolveConf,
} from './wsl-conf.ts'

describe('the sections of wsl.conf', () => {
  it.each([
    [{ boot: { systemd: true, command: 'service cron start', initTimeout: 5000, protectBinfmt: false } }],
    [
      {
        automount: {
          enabled: true,
          mountFsTab: false,
          root: '/win/',
          options: 'metadata,uid=1000',
          ldconfig: true,
          cgroups: 'v2',
        },
      },
    ],
    [{ network: { generateHosts: false, generateResolvConf: true, hostname: 'web-1' } }],
    [{ interop: { enabled: false, appendWindowsPath: false }, user: { default: 'dev' } }],
    [{ gpu: { enabled: false, appendLibPath: true }, time: { useWindowsTimezone: false } }],
    [{}],
  ])('%j is right', (sections) => expect(checkSections(sections)).toEqual([]))

  it.each([
    [{ boot: { systemd: 'yes' } }, ['boot', 'systemd'], /true or false/],
    [{ boot: { sytemd: true } }, ['boot', 'sytemd'], /unknown key; known are systemd/],
    [{ boot: { command: 'a\nb' } }, ['boot', 'command'], /one line/],
    [{ boot: { initTimeout: 0 } }, ['boot', 'initTimeout'], /milliseconds/],
    [{ automount: { root: 'mnt' } }, ['automount', 'root'], /absolute/],
    [{ automount: { cgroups: 'v3' } }, ['automount', 'cgroups'], /v1 or v2/],
    [{ network: { hostname: 'a b' } }, ['network', 'hostname'], /host name/],
    [{ user: { default: '1000' } }, ['user', 'default'], /name of a user/],
    [{ network: { networkingMode: 'mirrored' } }, ['network', 'networkingMode'], /\.wslconfig/],
    [{ wsl2: { memory: '4GB' } }, ['wsl2'], /\.wslconfig.*this machine/],
    [{ bot: {} }, ['bot'], /unknown section; known are boot, automount, network, interop, user, gpu, time/],
    [{ constructor: {} }, ['constructor'], /unknown section/],
    [{ boot: true }, ['boot'], /map keys/],
  ])('%j is refused', (sections, path, message) => {
    const issues = checkSections(sections)
    expect(issues).toHaveLength(1)
    expect(issues[0]?.path).toEqual(path)
    expect(issues[0]?.message).toMatch(message)
  })

  it('every profile is right', () => {
    expect(profileNames).toEqual(['minimal', 'systemd', 'docker', 'database', 'web-server', 'development'])
    for (const name of profileNames) expect(checkSections(profiles[name]), name).toEqual([])
  })
})

describe('the section of a blueprint', () => {
  const validate = (value: unknown): unknown => optionsSchema['~standard'].validate(value)

  it('is taken', () => {
    const value = { profile: 'docker', sections: { boot: { command: 'true' } } }
    expect(validate(value)).toEqual({ value })
    expect(validate(undefined)).toEqual({ value: {} })
  })

  it('is refused with the place', () => {
    expect(validate({ profile: 'big' })).toEqual({
      issues: [{ message: `must be one of ${profileNames.join(', ')}`, path: ['profile'] }],
    })
    expect(validate({ memory: 1 })).toMatchObject({ issues: [{ path: ['memory'] }] })
    expect(validate({ sections: { gpu: { enabled: 1 } } })).toMatchObject({
      issues: [{ path: ['sections', 'gpu', 'enabled'] }],
    })
    expect(validate([])).toMatchObject({ issues: [{ message: 'must be an object' }] })
  })
})

it('the blueprint wins over the profile, the profile over holm, key by key', () => {
  const conf = resolveConf({
    profile: 'database',
    sections: { automount: { root: '/win/' }, interop: { enabled: true } },
    hostname: 'box',
    user: 'dev',
  })
  expect(conf).toEqual({
    boot: { systemd: true },
    automount: { enabled: true, options: 'metadata,umask=77,fmask=177', root: '/win/' },
    network: { hostname: 'box' },
    interop: { enabled: true, appendWindowsPath: false },
    user: { default: 'dev' },
  })
})

it('a user that wsl.conf cannot name is left out', () => {
  for (const user of ['1000', 'dev:staff'])
    expect(resolveConf({ hostname: 'box', user })['user']).toBeUndefined()
})

it('the file has sections in one order, and quotes where a value needs them', () => {
  const conf = renderConf({
    user: { default: 'dev' },
    boot: { systemd: true, command: 'sh -c "echo a\\b # c"', initTimeout: 10 },
  })
  expect(conf.split('\n').slice(1)).toEqual([
    '[boot]',
    'systemd = true',
    'command = "sh -c \\"echo a\\\\b # c\\""',
    'initTimeout = 10',
    '',
    '[user]',
    'default = dev',
    '',
  ])
})

it('folders of Windows need automount', () => {
  expect(() => assertDrivesVisible(profiles.minimal, ['C:\\x'])).toThrowError(
    expect.objectContaining({ code: 'HOLM_BLUEPRINT_INVALID' }) as Error,
  )
  expect(() => assertDrivesVisible(profiles.minimal, [])).not.toThrow()
  expect(() => assertDrivesVisible(profiles.docker, ['C:\\x'])).not.toThrow()
})
