import { describe, expect, it } from 'vitest'
import { nftRemoval, nftText, removalText, restoreText, type FirewallInput } from './firewall.ts'

const input: FirewallInput = {
  hash: '0123abcd',
  networks: [
    {
      name: 'default',
      bridge: 'hlxc1',
      subnet: '10.213.4.0/24',
      owned: true,
      published: [
        { container: 80, host: 8080, hostIp: '127.0.0.1', protocol: 'tcp', address: '10.213.4.2' },
        { container: 53, host: 5353, hostIp: '0.0.0.0', protocol: 'udp', address: '10.213.4.3' },
      ],
    },
    { name: 'br0', bridge: 'br0', subnet: '192.0.2.0/24', owned: false, published: [] },
  ],
}

describe('rules of the network', () => {
  it('replaces its own chains in one step, and leads into them once', () => {
    const text = restoreText(input, true)
    expect(text).toContain(':HOLM-LXC-TO-0123abcd - [0:0]')
    expect(text.match(/-I FORWARD 1 -j HOLM-LXC-FWD-0123abcd/g)).toHaveLength(1)
    expect(restoreText(input, false)).not.toContain('-I ')
    expect(text.match(/^COMMIT$/gm)).toHaveLength(2)
  })

  it('publishes where it was asked to, and nowhere else', () => {
    const text = restoreText(input, false)
    expect(text).toContain(
      '-d 127.0.0.1/32 -p tcp -m tcp --dport 8080 -m comment --comment "holm lxc default" -j DNAT --to-destination 10.213.4.2:80',
    )
    expect(text).toContain('-m addrtype --dst-type LOCAL -p udp -m udp --dport 5353')
  })

  it('lets nobody in from outside, and nobody inside at this machine’s 127.0.0.1', () => {
    const lines = restoreText(input, false).split('\n')
    const forward = lines.filter((line) => line.startsWith('-A HOLM-LXC-FWD'))
    const drop = forward.findIndex((line) => / -o hlxc1 .*-j DROP$/.test(line))
    expect(drop).toBeGreaterThan(forward.findIndex((line) => line.includes('--ctstate DNAT')))
    expect(drop).toBeLessThan(forward.findIndex((line) => /FWD-0123abcd -i hlxc1 -m/.test(line)))
    expect(lines.filter((line) => line.includes('-d 127.0.0.0/8') && line.endsWith('-j DROP'))).toHaveLength(
      2,
    )
  })

  it('gives a bridge of somebody else no way out and closes nothing there', () => {
    const lines = restoreText(input, false).split('\n')
    expect(lines.filter((line) => line.includes('192.0.2.0/24 ! -o'))).toEqual([])
    expect(lines.filter((line) => line.includes('-o br0') && line.endsWith('DROP'))).toEqual([])
  })

  it('takes away what it made', () => {
    const text = removalText('0123abcd')
    for (const chain of ['TO', 'OUT', 'FWD', 'IN']) expect(text).toContain(`-X HOLM-LXC-${chain}-0123abcd`)
    expect(text.match(/^-D /gm)).toHaveLength(5)
  })

  it('says the same to nft, in a table of its own', () => {
    const text = nftText(input)
    expect(text).toContain('ip daddr 127.0.0.1 tcp dport 8080 dnat to 10.213.4.2:80')
    expect(text).toContain('ip saddr 10.213.4.0/24 oifname != "hlxc1" masquerade')
    expect(text).toContain('oifname "hlxc1" drop')
    expect(text).not.toContain('oifname "br0" drop')
    expect(nftRemoval('x')).toBe('table ip holm_lxc_x\ndelete table ip holm_lxc_x\n')
  })
})
