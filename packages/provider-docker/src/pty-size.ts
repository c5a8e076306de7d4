import type { ExecRequest } from '@holm/core'
import type Docker from 'dockerode'

const versions = new WeakMap<Docker, Promise<boolean>>()

/**
 * Engines below API 1.42 open a terminal of 0 x 0 and take its size only afterwards, too late for a program that asks at
 * once. There a shell sets it first and becomes the program.
 */
export async function sizedArgv(docker: Docker, request: ExecRequest): Promise<readonly string[]> {
  if (!request.pty || (await takesConsoleSize(docker))) return request.argv
  const script = `stty rows ${request.pty.rows} cols ${request.pty.cols} 2>/dev/null; exec "$@"`
  return ['/bin/sh', '-c', script, 'sh', ...request.argv]
}

/** Asked once per engine, and only for terminals. */
function takesConsoleSize(docker: Docker): Promise<boolean> {
  const known = versions.get(docker)
  if (known) return known
  const asked = docker.version().then(({ ApiVersion }) => hasConsoleSize(ApiVersion))
  versions.set(docker, asked)
  asked.catch(() => versions.delete(docker))
  return asked
}

export function hasConsoleSize(apiVersion: string): boolean {
  const [major = 0, minor = 0] = apiVersion.split('.').map(Number)
  return major > 1 || (major === 1 && minor >= 42)
}
