import { HolmError } from '@holm/core'
import type { EnvironmentSpec, PortRequest, ProviderContext } from '@holm/core'
import type { PortProxy, WslRecord } from './record.ts'
import type { Session } from './session.ts'
import { decodeOutput } from './wsl-output.ts'
import { readAll } from './streams.ts'

const loopback = /^(?:127\.|localhost$|::1$)/

/** Ports that WSL's own forwarding of localhost does not cover: another number, or another address. Pure. */
export function listProxies(ports: readonly PortRequest[]): PortProxy[] {
  return ports.flatMap(({ container, host = container, hostIp }) =>
    host === container && loopback.test(hostIp)
      ? []
      : [{ listenAddress: hostIp, listenPort: host, connectPort: container }],
  )
}

/** HOLM_BLUEPRINT_UNSUPPORTED for what Windows' port proxy cannot do: it knows TCP over IPv4 only. */
export function assertPorts(spec: Pick<EnvironmentSpec, 'ports'>): void {
  for (const port of spec.ports) {
    if (listProxies([port]).length === 0) continue
    if (port.protocol === 'tcp' && !port.hostIp.includes(':')) continue
    const what = `port ${port.container}/${port.protocol} as ${port.hostIp}:${port.host ?? port.container}`
    throw new HolmError('HOLM_BLUEPRINT_UNSUPPORTED', `WSL cannot publish ${what}`, {
      hint: 'Publish the port on 127.0.0.1 under its own number.',
    })
  }
}

/** Words for netsh.exe. */
export function proxyArgv(action: 'add' | 'delete', proxy: PortProxy): string[] {
  const rule = [`listenaddress=${proxy.listenAddress}`, `listenport=${proxy.listenPort}`]
  const target = ['connectaddress=127.0.0.1', `connectport=${proxy.connectPort}`]
  return [
    'interface',
    'portproxy',
    action,
    'v4tov4',
    ...rule,
    ...(action === 'add' ? target : []),
    'protocol=tcp',
  ]
}

/** Adds the rules. HOLM_ENVIRONMENT_FAILED where Windows does not let this user. */
export async function addProxies(
  session: Session,
  proxies: readonly PortProxy[],
  ctx: ProviderContext,
): Promise<void> {
  for (const proxy of proxies) {
    const { code, said } = await netsh(session, proxyArgv('add', proxy), ctx)
    if (code === 0) continue
    const what = `port ${proxy.connectPort} as ${proxy.listenAddress}:${proxy.listenPort}`
    throw new HolmError(
      'HOLM_ENVIRONMENT_FAILED',
      `Windows did not publish ${what}: ${said || `netsh ended with ${code}`}`,
      {
        hint: 'Run holm as administrator, or publish the port on 127.0.0.1 under its own number.',
      },
    )
  }
}

/** Removes the rules; one that is not there is no error. */
export async function removeProxies(
  session: Session,
  record: WslRecord,
  ctx: ProviderContext,
): Promise<void> {
  for (const proxy of record.proxies ?? []) {
    const { code, said } = await netsh(session, proxyArgv('delete', proxy), ctx)
    if (code !== 0)
      ctx.log.warn(
        `${record.name}: Windows kept the rule for port ${proxy.listenPort}, if it is there: ${said}`,
      )
  }
}

async function netsh(
  { machine }: Session,
  argv: readonly string[],
  ctx: ProviderContext,
): Promise<{ code: number; said: string }> {
  const child = await ctx.runner.spawn([machine.netsh, ...argv], { env: machine.env, signal: ctx.signal })
  const [out, errors, exit] = await Promise.all([readAll(child.stdout), readAll(child.stderr), child.exited])
  return { code: exit.code, said: `${decodeOutput(out)} ${decodeOutput(errors)}`.replace(/\s+/g, ' ').trim() }
}
