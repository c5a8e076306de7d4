import { describe, expect, it } from 'vitest'
import { excludeWords } from './export.ts'
import { readyScript } from './ready.ts'

describe('what a started machine is given', () => {
  it('quotes names and folders', () => {
    const mounts = [{ type: 'tmpfs', target: `/it's here`, sizeBytes: 1024 }] as const
    expect(readyScript({ hostname: 'web', mounts }).split('\n').slice(-3)).toMatchInlineSnapshot(`
      [
        "grep -qsF ' ''web' /etc/hosts || printf '127.0.1.1 %s\\n' 'web' >>/etc/hosts",
        "mkdir -p '/it'\\''s here' && mount -t tmpfs -o mode=1777,size=1024 tmpfs '/it'\\''s here' || exit 1",
        "umask 077; mkdir -p /run/holm && : >/run/holm/ready",
      ]
    `)
  })
})

describe('what an export leaves out', () => {
  it('names mounts as they are, not as patterns', () => {
    const mounts = [{ type: 'bind', source: '/a', target: '/w[1]*', readonly: false }] as const
    expect(excludeWords({ mounts }).at(-1)).toBe(String.raw`--exclude=./w\[1\]\*/*`)
  })
})
