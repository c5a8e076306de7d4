import { describe, expect, it } from 'vitest'
import { createLocalInside } from '../../../test/support/inside.ts'
import { chainScripts, listChain } from './chain.ts'
import type { Inside, InsideRequest, InsideResult, OnOutput } from './inside.ts'

/** This machine's shell, and how often it was asked. */
function countingInside(): { inside: Inside; requests: InsideRequest[] } {
  const local = createLocalInside()
  const requests: InsideRequest[] = []
  const inside: Inside = {
    run: (request, onOutput) => {
      requests.push(request)
      return local.run(request, onOutput)
    },
  }
  return { inside, requests }
}

const call = (inside: Inside, script: string, onOutput?: OnOutput): Promise<InsideResult> =>
  inside.run({ argv: ['/bin/sh', '-c', script] }, onOutput)

describe('listChain', () => {
  it('is the shell commands before the first that is a list or has company', () => {
    const [a, b] = [{ shell: 'a' }, { shell: 'b' }]
    expect(listChain([[a], [], [b]])).toEqual(['a', 'b'])
    expect(listChain([[a], [{ argv: ['x'] }], [b]])).toEqual(['a'])
    expect(listChain([[a], [a, b], [b]])).toEqual(['a'])
  })
})

describe('chainScripts', () => {
  it('runs them by one program, each with its own output and code', async () => {
    const { inside, requests } = countingInside()
    const scripts = ['printf one; printf err >&2', 'echo two; cd /; X=1', 'printf "%s" "${X-unset} $0"']
    const chained = chainScripts(inside, scripts)
    const results = []
    const heard: string[] = []
    for (const script of scripts)
      results.push(await call(chained, script, (stream, text) => heard.push(`${stream} ${text}`)))
    expect(results).toEqual([
      { code: 0, stdout: 'one', stderr: 'err' },
      { code: 0, stdout: 'two\n', stderr: '' },
      { code: 0, stdout: 'unset /bin/sh', stderr: '' },
    ])
    expect(heard.toSorted()).toEqual(['stderr err', 'stdout one', 'stdout two\n', 'stdout unset /bin/sh'])
    expect(requests).toHaveLength(1)
  })

  it('stops at the first that fails, and tells its code', async () => {
    const { inside } = countingInside()
    const scripts = ['true', 'echo no >&2; exit 7', 'echo never']
    const chained = chainScripts(inside, scripts)
    await call(chained, 'true')
    await expect(call(chained, scripts[1] ?? '')).resolves.toEqual({ code: 7, stdout: '', stderr: 'no\n' })
    await expect(call(chained, scripts[2] ?? '')).resolves.toMatchObject({ stdout: '', code: 7 })
  })

  it('tells how the program ended when a script ends all of it', async () => {
    const { inside } = countingInside()
    const scripts = ['echo before', 'kill -TERM $PPID', 'true']
    const chained = chainScripts(inside, scripts)
    await expect(call(chained, 'echo before')).resolves.toMatchObject({ code: 0 })
    expect((await call(chained, scripts[1] ?? '')).code).not.toBe(0)
  })

  it('holds nothing back that only looks like a mark, and keeps large output whole', async () => {
    const { inside } = countingInside()
    const scripts = ["printf 'a\\036holm-b\\036'", 'head -c 300000 /dev/zero | tr "\\0" x', "printf '\\036'"]
    const chained = chainScripts(inside, scripts)
    await expect(call(chained, scripts[0] ?? '')).resolves.toMatchObject({ stdout: 'a\u001eholm-b\u001e' })
    expect((await call(chained, scripts[1] ?? '')).stdout).toHaveLength(300_000)
    await expect(call(chained, scripts[2] ?? '')).resolves.toMatchObject({ stdout: '\u001e', code: 0 })
  })

  it('leaves alone what is no part of the chain', async () => {
    const { inside, requests } = countingInside()
    const chained = chainScripts(inside, ['true', 'echo last'])
    await call(chained, 'echo other')
    await call(chained, 'true')
    await call(chained, 'echo last')
    await expect(call(chained, 'echo after')).resolves.toMatchObject({ stdout: 'after\n' })
    expect(requests.map(({ argv }) => argv.length)).toEqual([3, 7, 3])
    expect(chainScripts(inside, ['only'])).toBe(inside)
  })

  it('passes an abort on', async () => {
    const reason = new Error('aborted')
    const waiting: Inside = {
      run: ({ signal }) =>
        new Promise((_, reject) => {
          signal?.addEventListener('abort', () => reject(reason))
        }),
    }
    const controller = new AbortController()
    const { signal } = controller
    const chained = chainScripts(waiting, ['true', 'sleep 60'])
    const first = chained.run({ argv: ['/bin/sh', '-c', 'true'], signal })
    controller.abort()
    await expect(first).rejects.toBe(reason)
  })
})
