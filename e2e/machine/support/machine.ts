import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'

/**
 * What a runtime can leave on a machine, one line each: interfaces, network namespaces, mounts, loop devices, firewall
 * rules, sockets that listen, control groups. The tests of this folder run alone, so that two listings can be compared.
 */
export function listMachine(): string[] {
  return [
    ...listLinks(),
    ...listNames('/run/netns', 'network namespace'),
    ...listMounts(),
    ...listLoopDevices(),
    ...listFirewall(),
    ...listListeners(),
    ...listCgroups(),
  ].toSorted()
}

/** Waits until the machine is as it was: some things go a moment after the command that ended them. */
export async function expectMachine(before: readonly string[]): Promise<void> {
  const deadline = Date.now() + 10_000
  for (;;) {
    const now = listMachine()
    const differs = now.length !== before.length || now.some((line, index) => line !== before[index])
    if (!differs || Date.now() > deadline) {
      expect({ left: without(now, before), gone: without(before, now) }).toEqual({ left: [], gone: [] })
      return
    }
    await pause(100)
  }
}

function without(lines: readonly string[], others: readonly string[]): string[] {
  return lines.filter((line) => !others.includes(line))
}

function listLinks(): string[] {
  return readdirSync('/sys/class/net').map((name) => `interface ${name}`)
}

function listNames(folder: string, kind: string): string[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => `${kind} ${name}`) : []
}

function listMounts(): string[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').trim().split('\n')
  return lines.map((line) => `mount ${line.split(' ')[4] ?? ''}`)
}

function listLoopDevices(): string[] {
  return readdirSync('/sys/block')
    .map((name) => join('/sys/block', name, 'loop', 'backing_file'))
    .filter((path) => existsSync(path))
    .map((path) => `loop device of ${readFileSync(path, 'utf8').trim()}`)
}

/** Counters and the order of chains are no difference. */
function listFirewall(): string[] {
  return ['iptables-save', 'ip6tables-save', 'iptables-legacy-save'].flatMap((program) => {
    const { stdout } = spawnSync(program, { encoding: 'utf8' })
    return (
      (stdout ?? '')
        .split('\n')
        // The chains of the CNI plugins belong to every program that uses them, and stay.
        .filter(
          (line) =>
            line.startsWith('-A') &&
            !/^-A (?:CNI-HOSTPORT-(?:MASQ|SETMARK) |.* -j CNI-HOSTPORT-\w+$)/.test(line),
        )
        .map((line) => `${program} ${line}`)
    )
  })
}

function listListeners(): string[] {
  return ['tcp', 'tcp6', 'udp', 'udp6'].flatMap((protocol) => {
    const lines = readFileSync(`/proc/net/${protocol}`, 'utf8').trim().split('\n').slice(1)
    const listening = protocol.startsWith('tcp') ? '0A' : '07'
    return lines
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === listening)
      .map((fields) => `${protocol} port ${Number.parseInt(fields[1]?.split(':')[1] ?? '', 16)}`)
  })
}

function listCgroups(folder = '/sys/fs/cgroup', depth = 4): string[] {
  if (depth === 0 || !existsSync(folder)) return []
  try {
    return (
      readdirSync(folder, { withFileTypes: true })
        // dockerd and LXC keep an empty one for containers to come.
        .filter((entry) => entry.isDirectory() && !/^(?:docker|lxc\.pivot)$/.test(entry.name))
        .flatMap(({ name }) => [
          `control group ${join(folder, name)}`,
          ...listCgroups(join(folder, name), depth - 1),
        ])
    )
  } catch {
    // It vanished meanwhile.
    return []
  }
}
