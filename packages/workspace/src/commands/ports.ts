import { HolmError } from '@holm/core'
import type { CommandInput, EnvironmentInfo } from '@holm/core'
import { namesOf } from '../proxy/names.ts'
import { createWaker } from '../pause/waker.ts'
import { startProxy } from '../proxy/server.ts'
import type { WorkspaceCommand } from './command.ts'

async function running({
  host,
  signal,
}: Pick<CommandInput, 'host' | 'signal'>): Promise<readonly EnvironmentInfo[]> {
  return (await host.list({ all: true, signal })).filter(({ status }) => status === 'running')
}

export const portList: WorkspaceCommand = {
  id: 'port list',
  aliases: ['port ls'],
  summary: 'List the ports of all running environments, with what has them, and those that are forwarded.',
  examples: [{ command: 'holm port list', description: 'Where everything answers.' }],
  async run(input) {
    const published = (await running(input)).flatMap(({ name, ports, services, partOf }) =>
      ports.map((port) => ({
        environment: partOf?.environment ?? name,
        service:
          partOf?.service ??
          services.find((service) => service.ports.some(({ container }) => container === port.container))
            ?.name ??
          null,
        ...port,
        forward: false,
      })),
    )
    const forwards = input.host.ports.leases().map(({ environment, container, port: host }) => ({
      environment,
      service: null,
      container,
      host,
      hostIp: '127.0.0.1',
      protocol: 'tcp' as const,
      forward: true,
    }))
    const all = [...published, ...forwards]
    return {
      data: all,
      table: {
        columns: ['environment', 'service', 'inside', 'here', 'protocol'],
        rows: all.map(({ environment, service, container, host, hostIp, protocol, forward }) => [
          environment,
          service ?? (forward ? '(forwarded)' : ''),
          String(container),
          `${hostIp}:${host}`,
          protocol,
        ]),
        empty: 'Nothing is published.',
      },
    }
  },
}

const defaultPort = 7800

export const proxy: WorkspaceCommand = {
  id: 'proxy',
  summary: 'Give every service a name that a browser can open.',
  description:
    'Runs until Ctrl-C and passes http://SERVICE.ENVIRONMENT.localhost:PORT on to that service, http://8080.ENVIRONMENT.localhost:PORT to ' +
    'that port, WebSockets too. Two workspaces run the same application on the same port, each with its own name. Environments that come ' +
    'and go meanwhile are noticed; one that was paused because nobody used it is woken by a request.',
  flags: {
    port: {
      type: 'integer',
      description: `Port of this machine; 0: a free one. Default ${defaultPort}.`,
      default: defaultPort,
    },
  },
  examples: [{ command: 'holm proxy', description: 'Then open http://web.fix.localhost:7800.' }],
  async run(input) {
    const wanted = Number(input.flags['port'])
    if (!Number.isInteger(wanted) || wanted < 0 || wanted > 65_535) {
      throw new HolmError('HOLM_USAGE', `--port is ${String(input.flags['port'])}, which is no port`, {
        hint: 'Give --port a number from 0 to 65535.',
      })
    }
    const names = async () => namesOf(await running(input))
    const { port, ended } = await startProxy({
      port: wanted,
      names,
      wake: createWaker(input.host.idle, input.signal),
      signal: input.signal,
    })
    async function* lines() {
      for (const { host, target } of await names())
        yield {
          stream: 'stdout',
          text: `http://${host}:${port}  ->  ${target}`,
          url: `http://${host}:${port}`,
          target,
        }
      yield {
        stream: 'stdout',
        text: `listening on http://localhost:${port}; Ctrl-C ends it`,
        url: `http://localhost:${port}`,
      }
      await ended
    }
    return { data: lines(), exitCode: 0 }
  },
}
