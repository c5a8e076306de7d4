import type { PortRequest } from '@holm/core'
import { expect, it } from 'vitest'
import { assertPorts, listProxies, proxyArgv } from './ports.ts'

const port = (more: Partial<PortRequest>): PortRequest => ({
  container: 80,
  hostIp: '127.0.0.1',
  protocol: 'tcp',
  ...more,
})

it('WSL forwards localhost itself; other numbers and addresses need a rule of Windows', () => {
  expect(listProxies([port({}), port({ host: 80 }), port({ hostIp: 'localhost' })])).toEqual([])
  expect(listProxies([port({ host: 8080 }), port({ hostIp: '0.0.0.0' })])).toEqual([
    { listenAddress: '127.0.0.1', listenPort: 8080, connectPort: 80 },
    { listenAddress: '0.0.0.0', listenPort: 80, connectPort: 80 },
  ])
})

it('words of netsh', () => {
  const proxy = { listenAddress: '127.0.0.1', listenPort: 8080, connectPort: 80 }
  const rule = ['v4tov4', 'listenaddress=127.0.0.1', 'listenport=8080']
  const target = ['connectaddress=127.0.0.1', 'connectport=80']
  expect(proxyArgv('add', proxy)).toEqual([
    'interface',
    'portproxy',
    'add',
    ...rule,
    ...target,
    'protocol=tcp',
  ])
  expect(proxyArgv('delete', proxy)).toEqual(['interface', 'portproxy', 'delete', ...rule, 'protocol=tcp'])
})

it('UDP and IPv6 cannot be led elsewhere', () => {
  expect(() => assertPorts({ ports: [port({ protocol: 'udp' })] })).not.toThrow()
  for (const ports of [[port({ protocol: 'udp', host: 81 })], [port({ hostIp: '::' })]])
    expect(() => assertPorts({ ports })).toThrowError(
      expect.objectContaining({ code: 'HOLM_BLUEPRINT_UNSUPPORTED' }) as Error,
    )
})
