import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import type { Readable, Writable } from 'node:stream'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

// The built binary against the sandbox: what only a real process, real pipes and real signals can show.
const bin = join(import.meta.dirname, '..', 'bin', 'holm.js')
const built = existsSync(join(import.meta.dirname, '..', 'dist', 'index.cjs'))
const folder = mkdtempSync(join(tmpdir(), 'holm-cli-'))
const project = join(folder, 'project')
const env = {
  PATH: process.env['PATH'],
  HOME: folder,
  XDG_CONFIG_HOME: join(folder, 'config'),
  XDG_DATA_HOME: join(folder, 'data'),
  XDG_CACHE_HOME: join(folder, 'cache'),
  HOLM_NAMESPACE: `holm-cli-${process.pid}`,
}

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

function holm(argv: readonly string[], input = ''): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...argv], {
    cwd: project,
    env,
    input,
    encoding: 'utf8',
  })
  return { code: status, stdout, stderr }
}

function startHolm(...argv: string[]): ChildProcessByStdio<Writable, Readable, Readable> {
  return spawn(process.execPath, [bin, ...argv], { cwd: project, env, stdio: ['pipe', 'pipe', 'pipe'] })
}

const reason = (): string => {
  if (!built) return 'holm is not built'
  mkdirSync(project, { recursive: true })
  const { stdout } = holm(['provider', 'show', 'sandbox', '--json'])
  const { probe } = JSON.parse(stdout || '{}') as { probe?: { usable: boolean; reason?: string } }
  return probe?.usable ? '' : `the sandbox is not usable: ${probe?.reason ?? stdout}`
}

const skipped = reason()

describe.skipIf(skipped !== '')(skipped === '' ? 'holm' : `holm (skipped: ${skipped})`, () => {
  beforeAll(() => {
    mkdirSync(project, { recursive: true })
    writeFileSync(join(project, 'holm.yaml'), 'name: cli\nbase: host\nprovider: sandbox\n')
    const up = holm(['up', '--json'])
    expect(up.code, up.stdout + up.stderr).toBe(0)
  })

  afterAll(() => {
    holm(['destroy', '--all', '--yes'])
    rmSync(folder, { recursive: true, force: true })
  })

  it('passes bytes both ways unchanged', async () => {
    const sent = randomBytes(3_000_000)
    const child = startHolm('exec', '--', 'cat')
    child.stdin.end(sent)
    const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
    expect(hash(await buffer(child.stdout))).toBe(hash(sent))
  })

  it('keeps streams apart and passes the exit code on', () => {
    expect(holm(['exec', '--', 'sh', '-c', 'echo out; echo err >&2; exit 41'])).toEqual({
      code: 41,
      stdout: 'out\n',
      stderr: 'err\n',
    })
    expect(holm(['exec', '--', 'sh', '-c', 'kill -9 $$']).code).toBe(137)
    expect(holm(['exec', '--', 'no-such-program']).code).toBe(127)
    expect(holm(['exec', 'no-such-environment', '--', 'true'])).toMatchObject({ code: 7, stdout: '' })
  })

  it.each([
    ['SIGTERM', 9],
    ['SIGINT', 8],
    ['SIGHUP', 7],
  ] as const)('forwards %s', async (signal, code) => {
    const traps =
      "trap 'exit 9' TERM; trap 'exit 8' INT; trap 'exit 7' HUP; echo ready; while :; do sleep 0.05; done"
    const child = startHolm('exec', '--', 'sh', '-c', traps)
    await once(child.stdout, 'data')
    child.kill(signal)
    expect(await once(child, 'exit')).toEqual([code, null])
  })

  it('ends quietly when nobody reads any more', async () => {
    const child = startHolm('exec', '--', 'yes')
    await once(child.stdout, 'data')
    child.stdout.destroy()
    const [[code], stderr] = await Promise.all([once(child, 'exit'), buffer(child.stderr)])
    expect({ code: code as unknown, stderr: stderr.toString() }).toEqual({ code: 141, stderr: '' })
  })

  it('reads a script from a pipe in a login shell', () => {
    expect(holm(['shell'], 'echo "in $0"; exit 6')).toMatchObject({
      code: 6,
      stdout: expect.stringMatching(/^in .*sh\n$/) as string,
    })
  })

  it('answers completion with the names of environments', () => {
    expect(holm(['__complete', '--', 'status', '']).stdout).toBe('cli\trunning on sandbox\n')
  })

  it('leaves nothing behind', () => {
    expect(holm(['destroy']).code).toBe(2)
    expect(holm(['destroy', '--yes']).stdout).toBe('cli is removed\n')
    expect(holm(['list', '--json']).stdout).toBe('[]\n')
  })
})
