import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLocalInside, createRecorder, createScriptedInside } from '../../../test/support/inside.ts'
import { parseUserEnv, probeUserEnv } from './user-env.ts'

let home = ''
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'holm-home-'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

/** A machine whose passwd entry names `shell`, through a getent of its own. */
async function createInsideWithShell(shell: string): Promise<ReturnType<typeof createLocalInside>> {
  await writeFile(join(home, 'getent'), `#!/bin/sh\necho "user:x:0:0::${home}:${shell}"\n`)
  await chmod(join(home, 'getent'), 0o755)
  return createLocalInside({ PATH: `${home}:${process.env['PATH']}`, HOME: home })
}

describe('probeUserEnv', () => {
  it('asks nobody for none', async () => {
    const inside = createScriptedInside(() => undefined)
    expect(await probeUserEnv('none', inside)).toEqual({})
    expect(inside.requests).toEqual([])
  })

  it('reads what the start file of a login shell exports, with line feeds, and not what it prints', async () => {
    await writeFile(join(home, '.profile'), 'echo welcome\nexport TOOL="a\nb=c"\n')
    const env = await probeUserEnv('loginShell', await createInsideWithShell('/bin/sh'))
    expect(env).toMatchObject({ TOOL: 'a\nb=c', HOME: home })
    expect(env).not.toHaveProperty('PWD')
    expect(env).not.toHaveProperty('SHLVL')
    expect(env).not.toHaveProperty('HOLM_PROBE')
  })

  it('takes /bin/sh for a user who may not log in', async () => {
    const env = await probeUserEnv('loginShell', await createInsideWithShell('/usr/sbin/nologin'))
    expect(env).toHaveProperty('HOME', home)
  })

  it('passes the user on and asks once', async () => {
    const inside = createScriptedInside((_command, request) => {
      const marker = request.env?.['HOLM_PROBE'] ?? ''
      return { stdout: `motd${marker}A=b\0${marker}bye` }
    })
    expect(await probeUserEnv('interactiveShell', inside, { user: 'dev' })).toEqual({ A: 'b' })
    expect(inside.requests).toHaveLength(1)
    expect(inside.requests[0]).toMatchObject({ user: 'dev', argv: expect.arrayContaining(['-i', '-c']) })
  })

  it('warns of a shell that does not answer in time, and of one that prints nothing', async () => {
    const reporter = createRecorder()
    await writeFile(join(home, '.profile'), 'sleep 60\n')
    const slow = await createInsideWithShell('/bin/sh')
    expect(await probeUserEnv('loginShell', slow, { reporter, user: 'dev', timeoutMs: 200 })).toEqual({})
    expect(
      await probeUserEnv(
        'loginShell',
        createScriptedInside(() => ({ code: 1 })),
        { reporter },
      ),
    ).toEqual({})
    expect(reporter.lines).toEqual([
      'warning: the shell of user dev did not answer in 0.2 s; commands run without its variables',
      'warning: the shell of user (default) printed no environment; commands run without its variables',
    ])
  })

  it('ends with the abort of the caller', async () => {
    await writeFile(join(home, '.profile'), 'sleep 60\n')
    const inside = await createInsideWithShell('/bin/sh')
    const signal = AbortSignal.timeout(100)
    await expect(probeUserEnv('loginShell', inside, { signal })).rejects.toMatchObject({
      code: 'HOLM_INTERRUPTED',
    })
  })
})

describe('parseUserEnv', () => {
  it('reads lines where the shell has no better tool', () => {
    expect(parseUserEnv('xMA=1\nB=2=3\nSHLVL=1\nM', 'M')).toEqual({ A: '1', B: '2=3' })
  })

  it('is undefined without both markers', () => {
    expect(parseUserEnv('A=1', 'marker')).toBeUndefined()
    expect(parseUserEnv('markerA=1', 'marker')).toBeUndefined()
  })
})
