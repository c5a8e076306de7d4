import { describe, expect, it, vi } from 'vitest'
import { createLocalInside, createRecorder, createScriptedInside } from '../../../test/support/inside.ts'
import { commandArgv, runStage } from './stage.ts'
import { createLineStream, lastLines } from './output.ts'

describe('runStage', () => {
  it('does nothing without commands', async () => {
    const inside = createScriptedInside(() => undefined)
    const reporter = createRecorder()
    await runStage({ stage: 'postCreate', commands: [[]], inside, reporter })
    expect(inside.requests).toEqual([])
    expect(reporter.steps).toEqual([])
  })

  it('gives a string to a shell and runs a list as it is, with user, folder and variables', async () => {
    const inside = createScriptedInside(() => undefined)
    const context = { user: 'dev', cwd: '/workspace', env: { A: 'b' } }
    const commands = [[{ shell: 'echo $A' }], [{ argv: ['echo', '$A'] }]]
    await runStage({ stage: 'onCreate', commands, inside, reporter: createRecorder(), context })
    expect(inside.requests).toEqual([
      { ...context, argv: ['/bin/sh', '-c', 'echo $A'] },
      { ...context, argv: ['echo', '$A'] },
    ])
  })

  it('runs a group in parallel to its end, stops the groups after a failure, and names the command', async () => {
    const inside = createLocalInside()
    const reporter = createRecorder()
    const commands = [
      [{ shell: 'echo broken >&2; exit 3', name: 'build' }, { shell: 'sleep 0.1; echo finished' }],
      [{ shell: 'echo never' }],
    ]
    await expect(runStage({ stage: 'postCreate', commands, inside, reporter })).rejects.toMatchObject({
      code: 'HOLM_COMMAND_FAILED',
      message: 'postCreate command "build" ended with code 3\nbroken',
      details: { command: 'postCreate command "build"', code: 3, output: 'broken' },
    })
    expect(reporter.lines).toEqual(['broken', 'finished'])
    expect(reporter.steps).toEqual(['postCreate'])
  })

  it('starts the commands of a group together', async () => {
    const started: string[] = []
    let release = (): void => undefined
    const gate = new Promise<void>((resolve) => (release = resolve))
    const inside = {
      run: async ({ argv }: { argv: readonly string[] }) => {
        started.push(argv[0] ?? '')
        await gate
        return { code: 0, stdout: '', stderr: '' }
      },
    }
    const commands = [[{ argv: ['a'] }, { argv: ['b'] }]]
    const running = runStage({ stage: 'postStart', commands, inside, reporter: createRecorder() })
    await vi.waitFor(() => expect(started).toEqual(['a', 'b']), 30_000)
    release()
    await running
  })
})

it('commandArgv keeps quotes and spaces', () => {
  expect(commandArgv({ argv: ['a b', "c'd"] })).toEqual(['a b', "c'd"])
})

describe('output', () => {
  it('is passed on in whole lines per stream', () => {
    const reporter = createRecorder()
    const lines = createLineStream(reporter)
    lines.push('stdout', 'one\r\ntw')
    lines.push('stderr', 'error\n')
    lines.push('stdout', 'o\nrest')
    expect(reporter.lines).toEqual(['one', 'error', 'two'])
    lines.flush()
    expect(reporter.lines).toEqual(['one', 'error', 'two', 'rest'])
    expect(lines.tail()).toBe('one\nerror\ntwo\nrest')
  })

  it('is cut to the last lines, of stderr when there is any', () => {
    expect(lastLines({ stdout: 'a\nb\nc\n', stderr: ' \n' }, 2)).toBe('b\nc')
    expect(lastLines({ stdout: 'a', stderr: 'e\n' })).toBe('e')
  })
})
