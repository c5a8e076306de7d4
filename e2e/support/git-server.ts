import { execFileSync, spawn } from 'node:child_process'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

/** git's own server behind a password, on a free port of this machine. */
export interface GitServer {
  /** `127.0.0.1:PORT`. */
  readonly host: string
  /** Makes an empty repository. */
  add(path: string): void
  git(path: string, ...args: readonly string[]): string
  close(): Promise<void>
}

export interface GitServerOptions {
  /** Where its repositories lie. */
  readonly folder: string
  readonly username: string
  readonly password: string
}

export async function startGitServer({ folder, username, password }: GitServerOptions): Promise<GitServer> {
  const wanted = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  const server = createServer((request, response) => {
    if (request.headers.authorization === wanted) return runBackend({ request, response, folder, username })
    response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="git"' }).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const git: GitServer['git'] = (path, ...args) =>
    execFileSync('git', ['--git-dir', join(folder, path), ...args], { encoding: 'utf8' }).trimEnd()
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    add(path) {
      mkdirSync(join(folder, path), { recursive: true })
      execFileSync('git', ['init', '--quiet', '--bare', '--initial-branch=main', join(folder, path)])
      git(path, 'config', 'http.receivepack', 'true')
    },
    git,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly folder: string
  readonly username: string
}

/** As a web server runs a CGI program: headers up to an empty line, then the body. */
function runBackend({ request, response, folder, username }: Exchange): void {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://server')
  const backend = spawn('git', ['http-backend'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'safe.directory',
      GIT_CONFIG_VALUE_0: '*',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      PATH_INFO: pathname,
      QUERY_STRING: searchParams.toString(),
      REMOTE_USER: username,
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'],
    },
  })
  backend.stdin.on('error', () => undefined)
  request.pipe(backend.stdin)
  const chunks: Buffer[] = []
  backend.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  backend.on('close', () => {
    const said = Buffer.concat(chunks)
    const end = said.indexOf('\r\n\r\n')
    const headers = said
      .subarray(0, end)
      .toString()
      .split('\r\n')
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()] as const)
    const status = headers.find(([name]) => name === 'Status')?.[1] ?? '200'
    for (const [name, value] of headers) if (name !== 'Status') response.setHeader(name, value)
    response.writeHead(Number.parseInt(status, 10)).end(said.subarray(end + 4))
  })
}
