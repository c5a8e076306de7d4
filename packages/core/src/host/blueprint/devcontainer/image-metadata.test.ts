import { describe, expect, it } from 'vitest'
import { loadFromText } from './load-devcontainer.ts'
import { resolveContainerVariables } from '../container-variables.ts'
import { toSpec } from '../to-spec.ts'

describe('the image label', () => {
  const withLabel = async (config: Record<string, unknown>, label: string) => {
    const base = { kind: 'image', reference: 'x' } as const
    const place = { source: '/app/.devcontainer.json', project: '/app' }
    const loaded = await loadFromText(JSON.stringify({ image: 'x', ...config }), place, {
      env: {},
      machine: { cpus: 8, memoryBytes: 2 ** 34 },
    })
    return toSpec(loaded, {
      env: {},
      base,
      baseInfo: { base, id: 'x', labels: { 'devcontainer.metadata': label }, env: {} },
    })
  }

  it('is merged, the file last', async () => {
    const label = JSON.stringify([
      {
        id: 'feature',
        init: true,
        capAdd: ['A'],
        mounts: ['source=old,target=/m', 'source=id-${devcontainerId},target=/id'],
        entrypoint: '/init.sh',
      },
      {
        remoteUser: 'vscode',
        containerEnv: { A: 'image', B: 'image' },
        remoteEnv: { X: '1' },
        onCreateCommand: 'image-create',
        forwardPorts: [5000],
        hostRequirements: { cpus: 8, memory: '1gb' },
        waitFor: 'postCreateCommand',
        userEnvProbe: 'none',
      },
    ])
    const { spec, requirements, warnings } = await withLabel(
      {
        capAdd: ['B', 'A'],
        mounts: ['source=new,target=/m'],
        containerEnv: { B: 'file' },
        remoteEnv: { X: null },
        onCreateCommand: ['file-create'],
        forwardPorts: [5000, 6000],
        hostRequirements: { cpus: 2, memory: '2gb' },
        userEnvProbe: 'loginShell',
      },
      label,
    )
    expect(spec).toMatchObject({
      init: true,
      env: { A: 'image', B: 'file' },
      exec: { user: 'vscode', env: { X: null }, probe: 'loginShell' },
      security: { capAdd: ['A', 'B'] },
      lifecycle: {
        onCreate: [[{ shell: 'image-create' }], [{ argv: ['file-create'] }]],
        waitFor: 'postCreate',
      },
    })
    expect(spec.ports.map((port) => port.container)).toEqual([5000, 6000])
    expect(spec.mounts).toContainEqual({ type: 'volume', source: 'new', target: '/m', readonly: false })
    expect(spec.mounts.find((mount) => mount.target === '/id')).toMatchObject({
      source: expect.stringMatching(/^id-[0-9a-v]{52}$/) as string,
    })
    expect(requirements).toEqual({ cpus: 8, memoryBytes: 2 * 1024 ** 3 })
    expect(warnings).toEqual([expect.stringContaining('/init.sh')])
  })

  it('may be one object, and broken parts of it are warnings', async () => {
    expect((await withLabel({}, '{"remoteUser": "node"}')).spec.exec.user).toBe('node')
    expect((await withLabel({}, 'not json')).warnings).toEqual([expect.stringContaining('is no JSON')])
    const { spec, warnings } = await withLabel(
      {},
      '[5, {"init": "yes", "privileged": true, "hostRequirements": {"memory": "x"}}]',
    )
    expect(spec.security.privileged).toBe(true)
    expect(warnings).toHaveLength(3)
  })
})

describe('resolveContainerVariables', () => {
  it('knows names and defaults', () => {
    const inside = { PATH: '/bin', EMPTY: '' }
    expect(resolveContainerVariables('${containerEnv:PATH}:/x', inside)).toBe('/bin:/x')
    expect(
      resolveContainerVariables(
        '[${containerEnv:NOPE:d:e}${containerEnv:NOPE}${containerEnv:EMPTY:z}]',
        inside,
      ),
    ).toBe('[d:e]')
    expect(resolveContainerVariables('${other}', inside)).toBe('${other}')
  })
})
