import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { explainFailure } from './failures.ts'
import { isAtLeast, parseFailure, parseInstances, parseVersion } from './parse.ts'
import { parseStatus } from './state.ts'

const fixture = (name: string): string =>
  readFileSync(new URL(`../test/fixtures/${name}`, import.meta.url), 'utf8')

describe('limactl list', () => {
  it('is read line by line, whatever else is in a line', () => {
    const found = parseInstances(fixture('list-v1.2.3.jsonl'))
    expect(found.map((each) => [each.name, parseStatus(each)])).toEqual([
      ['holm-test-one', { status: 'running' }],
      ['holm-test-two', { status: 'stopped' }],
    ])
  })

  it('passes over a cut line, and says why one is broken', () => {
    const found = parseInstances(fixture('list-v2.1.4.jsonl'))
    expect(found.map((each) => [each.name, parseStatus(each)])).toEqual([
      ['holm-test-one', { status: 'failed', reason: 'vz driver is running but host agent is not' }],
      ['holm-test-two', { status: 'creating' }],
    ])
  })
})

describe('a version', () => {
  it('is compared by numbers; a build without them is the newest', () => {
    const old = parseVersion('limactl version 1.10.2-rc.1\n')
    expect(old?.text).toBe('1.10.2-rc.1')
    expect(old && [isAtLeast(old, '1.2.0'), isAtLeast(old, '1.10.2'), isAtLeast(old, '2.0.0')]).toEqual([
      true,
      true,
      false,
    ])
    const built = parseVersion('limactl version 183a60d\n')
    expect(built && isAtLeast(built, '9.9.9')).toBe(true)
    expect(parseVersion('something else')).toBeUndefined()
  })
})

describe('a failure', () => {
  const codes = (file: string): unknown =>
    fixture(file)
      .trimEnd()
      .split('\n')
      .map((stderr) => {
        const { code, message } = explainFailure({ code: 1, stdout: '', stderr }, { action: 'do it' })
        return [code, message]
      })

  it('has a code and limactl’s own words (1.x)', () => {
    expect(codes('failures-v1.2.3.txt')).toMatchInlineSnapshot(`
      [
        [
          "HOLM_ENVIRONMENT_FAILED",
          "limactl could not do it: instance "holm-test-one" does not exist, run \`limactl create holm-test-one\` to create a new instance",
        ],
        [
          "HOLM_ENVIRONMENT_FAILED",
          "limactl could not do it: cannot clone a running instance",
        ],
        [
          "HOLM_ENVIRONMENT_CONFLICT",
          "limactl could not do it: instance "holm-test-one" already exists",
        ],
        [
          "HOLM_PROVIDER_UNAVAILABLE",
          "limactl could not do it: limactl: must not run as the root user",
        ],
      ]
    `)
  })

  it('has a code and limactl’s own words (2.x)', () => {
    expect(codes('failures-v2.1.4.txt')).toMatchInlineSnapshot(`
      [
        [
          "HOLM_ENVIRONMENT_FAILED",
          "limactl could not do it: instance \`holm-test-one\` is stopped, run \`limactl start holm-test-one\` to start the instance",
        ],
        [
          "HOLM_BASE_INVALID",
          "limactl could not do it: failed to download \`/images/a.qcow2\`: expected digest \`sha256:00\`, got \`sha256:11\`",
        ],
        [
          "HOLM_IMAGE_MISSING",
          "limactl could not do it: failed to download \`https://images.test/a.qcow2\`: Get "https://images.test/a.qcow2": dial tcp: lookup images.test: no such host",
        ],
        [
          "HOLM_DISK_FULL",
          "limactl could not do it: write /home/someone/.lima/holm-test-one/disk: no space left on device",
        ],
        [
          "HOLM_BLUEPRINT_UNSUPPORTED",
          "limactl could not do it: unimplemented",
        ],
      ]
    `)
  })

  it('leaves out what only informs', () => {
    const stderr = 'time="x" level=info msg="Starting"\ntime="x" level=fatal msg="no way"\n'
    expect(parseFailure(stderr)).toBe('no way')
  })
})
