import type { PortBinding, ServiceSpec } from '@holm/core'
import { expect, it } from 'vitest'
import { namesOf, parseHost } from './names.ts'

const port = (container: number, host: number, hostIp = '127.0.0.1'): PortBinding => ({
  container,
  host,
  hostIp,
  protocol: 'tcp',
})
const service = (name: string, container: number): ServiceSpec => ({
  name,
  env: {},
  ports: [{ container, hostIp: '127.0.0.1', protocol: 'tcp' }],
  dependsOn: [],
  restart: 'no',
})

it('names services, ports and environments', () => {
  const names = namesOf([
    {
      name: 'shop',
      ports: [port(3000, 32800), port(9229, 32801, '0.0.0.0')],
      services: [service('Web_App', 3000), service('db', 5432)],
    },
    { name: 'none', ports: [], services: [] },
  ])
  expect(names).toEqual([
    { host: 'web-app.shop.localhost', target: 'http://127.0.0.1:32800' },
    { host: '3000.shop.localhost', target: 'http://127.0.0.1:32800' },
    { host: '9229.shop.localhost', target: 'http://127.0.0.1:32801' },
    { host: 'shop.localhost', target: 'http://127.0.0.1:32800' },
  ])
})

it('reads the name in a header', () => {
  expect(['Web.Shop.localhost:7800', 'web.shop.localhost.', undefined].map(parseHost)).toEqual([
    'web.shop.localhost',
    'web.shop.localhost',
    '',
  ])
})
