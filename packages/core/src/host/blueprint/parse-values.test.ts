import { describe, expect, it } from 'vitest'
import { assertEnvironmentName, slugify } from './environment-name.ts'
import { toCommand, toScripts, toStage } from './parse-commands.ts'
import { resolveHostPath, toBind, toTmpfs, toVolume } from './parse-mounts.ts'
import { parseExposed, parsePort, uniquePorts } from './parse-ports.ts'
import { parseCpus, parseDuration, parseSize } from './parse-quantity.ts'
import { parseSecret } from './parse-secrets.ts'

const invalid = expect.objectContaining({ code: 'HOLM_BLUEPRINT_INVALID' })

function thrown(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return error
  }
}

describe('parseSize', () => {
  it.each([
    ['4GiB', 4 * 1024 ** 3],
    ['512mb', 512 * 1024 ** 2],
    ['1.5g', 1.5 * 1024 ** 3],
    ['64k', 65_536],
    [1048576, 1_048_576],
    ['2TB', 2 * 1024 ** 4],
    ['100', 100],
  ])('%s is %i bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
  })

  it.each(['', '4 gigs', '-1g', 0, '0', -5, 'g', '9999999tb'])('refuses %j', (value) => {
    expect(thrown(() => parseSize(value))).toEqual(invalid)
  })
})

describe('parseDuration and parseCpus', () => {
  it.each([
    ['500ms', 500],
    ['5s', 5000],
    ['1m30s', 90_000],
    ['2h', 7_200_000],
  ])('%s is %i ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  it('refuses what is no duration and no number of cores', () => {
    for (const text of ['5', 's', '5 seconds', '', '1m30'])
      expect(thrown(() => parseDuration(text))).toEqual(invalid)
    for (const value of ['two', 0, -1, '', 1e9]) expect(thrown(() => parseCpus(value))).toEqual(invalid)
    expect([parseCpus('1.5'), parseCpus(2)]).toEqual([1.5, 2])
  })
})

describe('parsePort', () => {
  const local = { hostIp: '127.0.0.1', protocol: 'tcp' }
  it.each([
    [8080, [{ container: 8080, host: 8080, ...local }]],
    ['8080', [{ container: 8080, host: 8080, ...local }]],
    ['8080:80', [{ container: 80, host: 8080, ...local }]],
    ['0:80', [{ container: 80, ...local }]],
    ['0.0.0.0:8080:80/udp', [{ container: 80, host: 8080, hostIp: '0.0.0.0', protocol: 'udp' }]],
    ['127.0.0.1::80', [{ container: 80, ...local }]],
    ['[::1]:8080:80', [{ container: 80, host: 8080, hostIp: '::1', protocol: 'tcp' }]],
    [
      '7000-7001:8000-8001',
      [
        { container: 8000, host: 7000, ...local },
        { container: 8001, host: 7001, ...local },
      ],
    ],
    [{ container: 80 }, [{ container: 80, ...local }]],
  ])('%j', (value, expected) => {
    expect(parsePort(value)).toEqual(expected)
  })

  it.each([
    0,
    70_000,
    'http',
    '80:',
    '1-2:1-3',
    '1.2.3.400:1:1',
    '1-200',
    '9-5',
    '80/sctp',
    '256.1.1.1:80:80',
  ])('refuses %j', (value) => {
    expect(thrown(() => parsePort(value))).toEqual(invalid)
  })

  it('drops repetitions and reads exposed ports', () => {
    expect(uniquePorts([...parsePort(80), ...parsePort('80:80')])).toHaveLength(1)
    expect([parseExposed(5432), parseExposed('53/udp')]).toEqual([5432, 53])
    expect(thrown(() => parseExposed('x'))).toEqual(invalid)
  })
})

describe('commands', () => {
  it('knows the three forms', () => {
    expect(toStage('make')).toEqual([[{ shell: 'make' }]])
    expect(toStage(['make', 'all'])).toEqual([[{ argv: ['make', 'all'] }]])
    expect(toStage({ a: 'x', b: ['y'] })).toEqual([
      [
        { shell: 'x', name: 'a' },
        { argv: ['y'], name: 'b' },
      ],
    ])
  })

  it('takes empty commands for none, and CRLF for LF', () => {
    expect([toStage(undefined), toStage(' '), toStage([]), toStage({}), toStage({ a: '' })]).toEqual([
      [],
      [],
      [],
      [],
      [],
    ])
    expect(toScripts('a\r\nb\r\n')).toEqual(['a\nb\n'])
    expect(toScripts(['', ' \n', 'x'])).toEqual(['x'])
    expect(toCommand('a\r\nb')).toEqual({ shell: 'a\nb' })
  })
})

describe('mounts', () => {
  const context = { directory: '/project', home: '/home/me' }
  it('resolves paths of this machine', () => {
    expect(resolveHostPath('./data', context)).toBe('/project/data')
    expect(resolveHostPath('~/data', context)).toBe('/home/me/data')
    expect(resolveHostPath('/data', context)).toBe('/data')
    expect(thrown(() => resolveHostPath('~', { directory: '/', home: undefined }))).toEqual(invalid)
  })

  it('reads all kinds', () => {
    expect(toBind({ host: 'x', container: '/y/', readonly: true }, context)).toEqual({
      type: 'bind',
      source: '/project/x',
      target: '/y',
      readonly: true,
    })
    expect(toVolume({ mount: '/v' })).toEqual({ type: 'volume', target: '/v', readonly: false })
    expect(toTmpfs('/tmp:rw,size=64m')).toEqual({ type: 'tmpfs', target: '/tmp', sizeBytes: 64 * 1024 ** 2 })
    expect(toTmpfs({ mount: '/t' })).toEqual({ type: 'tmpfs', target: '/t' })
    expect(thrown(() => toTmpfs('tmp'))).toEqual(invalid)
    expect(thrown(() => toVolume({ mount: '/a/../b' }))).toEqual(invalid)
    for (const name of ['../../etc', '/etc', '.hidden', 'a b', '', 'x'.repeat(101)])
      expect(thrown(() => toVolume({ name, mount: '/v' }))).toEqual(invalid)
  })
})

describe('secrets', () => {
  const resolvePath = (path: string) => `/abs/${path}`
  it('keeps references only', () => {
    expect(parseSecret('env:TOKEN', resolvePath)).toEqual({ from: 'env', key: 'TOKEN', optional: false })
    expect(parseSecret('file:token', resolvePath)).toEqual({
      from: 'file',
      path: '/abs/token',
      optional: false,
    })
    expect(parseSecret({ command: ['pass', 'x'], optional: true }, resolvePath)).toEqual({
      from: 'command',
      argv: ['pass', 'x'],
      optional: true,
    })
  })

  it('does not repeat a value written by mistake', () => {
    const error = thrown(() => parseSecret('hunter2', resolvePath))
    expect(error).toEqual(invalid)
    expect(String(error)).not.toContain('hunter2')
  })
})

describe('names', () => {
  it.each([
    ['My Project', 'my-project'],
    ['Überraschung!', 'uberraschung'],
    ['a'.repeat(60), 'a'.repeat(40)],
    ['日本', 'environment'],
    ['--x--', 'x'],
  ])('%s becomes %s', (text, slug) => {
    expect(slugify(text)).toBe(slug)
    expect(thrown(() => assertEnvironmentName(slug))).toBeUndefined()
  })

  it.each(['My Project', 'ünï', 'a'.repeat(41), '', '-a', 'a_b'])('refuses %j with a suggestion', (name) => {
    expect(thrown(() => assertEnvironmentName(name))).toMatchObject({
      code: 'HOLM_NAME_INVALID',
      details: { suggestion: slugify(name) },
    })
  })
})
