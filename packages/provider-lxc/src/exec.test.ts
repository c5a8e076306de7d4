import { describe, expect, it } from 'vitest'
import { resolveAccount } from './accounts.ts'
import { assertWords, entryScript, variablesOf } from './exec.ts'
import { asInnerRoot, idMapLines, parseRange } from './id-map.ts'
import { createLineEndings, findTail } from './logs.ts'
import { optionsSchema } from './options.ts'
import { parseStat } from './processes.ts'
import { escapeField, quote } from './quote.ts'
import { reachableResolver } from './etc-files.ts'
import { parseLog } from './start.ts'
import { mountsBelow } from './trees.ts'

const files = {
  passwd: 'root:x:0:0:root:/root:/bin/bash\ndev:x:1000:100::/home/dev:/bin/zsh\nbare:x:7:7:::\n',
  group: 'root:x:0:\nvideo:x:44:dev,other\ndocker:x:999:dev\n',
}

describe('accounts', () => {
  it('knows a user by name and number, with further groups', () => {
    const dev = { name: 'dev', uid: 1000, gid: 100, home: '/home/dev', shell: '/bin/zsh', groups: [44, 999] }
    expect(resolveAccount('dev', files)).toEqual(dev)
    expect(resolveAccount('1000:video', files)).toEqual({ ...dev, gid: 44 })
    expect(resolveAccount('bare', files)).toMatchObject({ home: '/', shell: '/bin/sh' })
    expect(resolveAccount('4242', files)).toMatchObject({ name: '4242', uid: 4242, gid: 4242, groups: [] })
    expect(() => resolveAccount('none', files)).toThrowError(
      expect.objectContaining({ code: 'HOLM_USAGE' }) as Error,
    )
    expect(() => resolveAccount('dev:none', files)).toThrowError(/group/)
  })

  it('takes the largest range of ids', () => {
    const text = 'other:1:2\ndev:100000:10\n1000:200000:65536\nbroken\n'
    expect(parseRange(text, { name: 'dev', uid: 1000 })).toEqual({ start: 200_000, count: 65_536 })
    expect(parseRange(text, { name: 'nobody', uid: 9 })).toBeUndefined()
    expect(asInnerRoot(undefined)).toEqual([])
    expect(idMapLines(undefined)).toEqual([])
    const range = { start: 5, count: 6 }
    expect(asInnerRoot({ uid: 1, gid: 2, uids: range, gids: range }).join(' ')).toBe(
      'lxc-usernsexec -m u:0:1:1 -m u:1:5:6 -m g:0:2:1 -m g:1:5:6 --',
    )
  })
})

describe('the entry script', () => {
  const account = resolveAccount('dev', files)

  it('lets later variables win, and gives no value away', () => {
    const variables = variablesOf({ hostname: 'box', env: { A: 'spec', HOME: '/other' } }, account, {
      argv: ['x'],
      env: { A: 'call' },
      pty: { cols: 1, rows: 1 },
    })
    expect(variables).toMatchObject({ A: 'call', HOME: '/other', USER: 'dev', TERM: 'xterm-256color' })
    expect(entryScript(variables, { argv: ['x'] })).not.toContain('call')
  })

  it('exports what a shell can export, and hands the rest to env', () => {
    const plain = entryScript({ GOOD: '1' }, { argv: ['x'], cwd: '/a' })
    expect(plain).toContain('export GOOD="${HOLM_V0#*=}"; unset HOLM_V0')
    expect(plain).toContain('cd -- "$1" || exit 126')
    expect(plain).toMatch(/exec "\$@"$/)
    const odd = entryScript({ 'a.b': '1', PWD: '2' }, { argv: ['a=b'] })
    expect(odd).toContain('exec env -u HOLM_V0 -u HOLM_V1 "$HOLM_V0" "$HOLM_V1" /bin/sh -c')
  })

  it('waits on a terminal until that is put right', () => {
    expect(entryScript({}, { argv: ['x'], pty: { cols: 1, rows: 1 } })).toMatch(/^kill -STOP \$\$; /)
  })

  it('refuses what no program can be given', () => {
    for (const request of [{ argv: [] }, { argv: ['a\0'] }, { argv: ['a'], env: { A: '\0' } }])
      expect(() => assertWords(request)).toThrowError(
        expect.objectContaining({ code: 'HOLM_USAGE' }) as Error,
      )
  })
})

describe('texts', () => {
  it('quotes for a shell and for fstab', () => {
    expect(quote(`it's`)).toBe(String.raw`'it'\''s'`)
    expect(escapeField('a b\t\\\n')).toBe(String.raw`a\040b\011\134\012`)
  })

  it('reads a process whose name holds brackets', () => {
    const fields = Array.from({ length: 30 }, (_, index) => String(index + 4))
    expect(parseStat(`7 (a) b) S ${fields.join(' ')}`)).toMatchObject({
      state: 'S',
      group: 5,
      session: 6,
      start: '22',
    })
  })

  it('finds mounts below a folder, escaped ones too', () => {
    const text =
      '1 2 0:1 / /a\\040b rw - x x rw\n1 2 0:1 / /a\\040b/c rw - x x rw\n1 2 0:1 / /a\\040bc rw - x x rw'
    expect(mountsBelow('/a b', text)).toEqual(['/a b', '/a b/c'])
  })

  it('turns a terminal’s line ends into a log’s, across chunks', () => {
    const clean = createLineEndings()
    const text = ['one\r', '\ntwo\rthree\r\n']
      .map((chunk) => Buffer.from(clean(Buffer.from(chunk))).toString())
      .join('')
    expect(text).toBe('one\ntwo\rthree\n')
    expect(findTail(Buffer.from('a\nb\nc\n'), 2)).toBe(2)
    expect(findTail(Buffer.from('a\n'), 0)).toBe(2)
    expect(findTail(Buffer.from('a\n'), 9)).toBe(0)
  })

  it('passes over servers that cannot be asked from inside', () => {
    expect(reachableResolver('nameserver 127.0.0.53\nsearch x\n', 'nameserver 192.0.2.1\n')).toBe(
      'nameserver 192.0.2.1\n',
    )
    expect(reachableResolver('nameserver 127.0.0.1\nnameserver 192.0.2.2\n', '')).toBe(
      'nameserver 192.0.2.2\n',
    )
    expect(reachableResolver('', '')).toBe('')
  })

  it('takes LXC’s own words out of its log', () => {
    const line = (level: string, text: string): string =>
      `lxc-start box 20260101000000.000 ${level}    conf - ../src/lxc/conf.c:mount_entry:1 - ${text}`
    expect(parseLog([line('WARN', 'first'), line('INFO', 'no'), line('ERROR', 'second')].join('\n'))).toBe(
      'first\nsecond',
    )
  })

  it('checks the section of a blueprint', () => {
    const check = (value: unknown): unknown => optionsSchema['~standard'].validate(value)
    expect(check({ shmSize: 1, config: ['lxc.pty.max = 3'], seccomp: false })).not.toHaveProperty('issues')
    expect(check(undefined)).toEqual({ value: {} })
    for (const bad of [
      { shmSize: 0 },
      { config: ['rm -rf'] },
      { config: ['lxc.x = 1\nlxc.y = 2'] },
      { seccomp: 1 },
      { other: 1 },
      [],
    ])
      expect(check(bad)).toHaveProperty('issues')
  })
})
