import type { CommandSpec, EnvironmentInfo, HealthCheck } from '@holm/core'
import { ask, script, type Exec } from './inside.ts'
import { listening } from './scripts.ts'
import { parseListening } from './state.ts'

export interface HealthInput {
  readonly exec: Exec
  readonly environment: EnvironmentInfo
  readonly env: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

/** Undefined when it is healthy, else why not, one phrase. */
export async function probeHealth(check: HealthCheck, input: HealthInput): Promise<string | undefined> {
  if (check.kind === 'tcp') return probePort(input.exec, check)
  if (check.kind === 'http') return probeUrl(check, input)
  return probeCommand(check, input)
}

/** Asked inside: the runtime's own forwarding accepts connections for a port that nobody listens on. */
async function probePort(exec: Exec, { port = 0, timeoutMs }: HealthCheck): Promise<string | undefined> {
  const { code, stdout } = await ask(exec, script(listening, []), timeoutMs)
  if (code === 126 || code === 127)
    return 'there is no /bin/sh to look with; use another kind of health check'
  return parseListening(stdout).has(port) ? undefined : `nothing listens on port ${port}`
}

async function probeCommand(
  { command = { argv: ['true'] }, timeoutMs }: HealthCheck,
  { exec, env }: HealthInput,
): Promise<string | undefined> {
  const { code, stdout, stderr } = await ask(exec, { argv: argvOf(command), env }, timeoutMs)
  if (code === 0) return undefined
  const said = (stderr.trim() || stdout.trim()).split('\n').at(-1)
  return `its check ended with ${code}${said ? `: ${said}` : ''}`
}

export function argvOf(command: CommandSpec): readonly string[] {
  return 'shell' in command ? ['/bin/sh', '-c', command.shell] : command.argv
}

/** From this machine where the port is published, else by what the environment has for it. */
async function probeUrl(
  { url = '', timeoutMs }: HealthCheck,
  input: HealthInput,
): Promise<string | undefined> {
  const outside = publishedUrl(url, input.environment)
  return outside === undefined
    ? fetchInside(url, timeoutMs, input)
    : fetchOutside(outside, timeoutMs, input.signal)
}

/** The same address as it is reached from here; undefined when it is not. */
export function publishedUrl(url: string, { ports }: Pick<EnvironmentInfo, 'ports'>): string | undefined {
  const parsed = URL.parse(url)
  if (!parsed || !['localhost', '127.0.0.1', '[::1]', '0.0.0.0'].includes(parsed.hostname)) return undefined
  const port = Number(parsed.port || (parsed.protocol === 'https:' ? 443 : 80))
  const binding = ports.find(({ container, protocol }) => container === port && protocol === 'tcp')
  if (!binding) return undefined
  parsed.host = `${binding.hostIp === '0.0.0.0' ? '127.0.0.1' : binding.hostIp}:${binding.host}`
  return parsed.href
}

async function fetchOutside(
  url: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const response = await fetch(url, {
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    })
    await response.body?.cancel()
    return response.status < 400 ? undefined : `${url} answers with ${response.status}`
  } catch (error) {
    const cause = (error as Error).cause as Error | undefined
    return `${url} does not answer: ${(cause ?? (error as Error)).message}`
  }
}

const fetchers = `if command -v curl >/dev/null; then exec curl -fsS -o /dev/null "$1"
elif command -v wget >/dev/null; then exec wget -q -O /dev/null "$1"
else echo 'neither curl nor wget is there; publish the port' >&2; exit 127
fi`

async function fetchInside(
  url: string,
  timeoutMs: number,
  { exec }: HealthInput,
): Promise<string | undefined> {
  const { code, stderr } = await ask(exec, script(fetchers, [url]), timeoutMs)
  return code === 0
    ? undefined
    : `${url} does not answer: ${stderr.trim().split('\n').at(-1) || `code ${code}`}`
}
