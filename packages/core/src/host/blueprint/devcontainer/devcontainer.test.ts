import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadDevcontainer } from './load-devcontainer.ts'
import { toSpec } from '../to-spec.ts'
import type { SpecInput } from '../loaded-blueprint.ts'

let project: string
const env = { HOME: '/home/me', TOKEN: 'abc', EMPTY: '' }

beforeEach(async () => {
  project = join(await realpath(await mkdtemp(join(tmpdir(), 'holm-devcontainer-'))), 'app')
})

afterEach(async () => {
  await rm(dirname(project), { recursive: true, force: true })
})

async function load(config: unknown, file = '.devcontainer/devcontainer.json') {
  const path = join(project, file)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, typeof config === 'string' ? config : JSON.stringify(config))
  return loadDevcontainer(
    { source: { kind: 'file', path }, project },
    { env, machine: { cpus: 4, memoryBytes: 4 * 1024 ** 3 } },
  )
}

async function translate(config: Record<string, unknown>, input: Partial<SpecInput> = {}) {
  return toSpec(await load({ image: 'debian:12', ...config }), { base: { kind: 'host' }, env, ...input })
}

const failure = async (config: unknown): Promise<{ code: string; message: string }> =>
  load(config).then(
    () => ({ code: 'none', message: 'no error' }),
    (error: { code: string; message: string }) => error,
  )

describe('the base', () => {
  it('is an image', async () => {
    expect(await load({ image: 'debian:${localEnv:RELEASE:12}' })).toMatchObject({
      format: 'devcontainer',
      base: { image: 'debian:12' },
      defaultName: 'app',
      directory: join(project, '.devcontainer'),
    })
  })

  it.each([
    [{ build: { dockerfile: 'Dockerfile', context: '..', args: { T: '${localEnv:TOKEN}' }, target: 'dev' } }],
    [{ dockerFile: 'Dockerfile', context: '..', build: { args: { T: 'abc' }, target: 'dev' } }],
  ])('is a Dockerfile, relative to the file: %j', async (config) => {
    expect((await load(config)).base).toEqual({
      dockerfile: join(project, '.devcontainer/Dockerfile'),
      context: project,
      args: { T: 'abc' },
      target: 'dev',
    })
  })

  it('passes cacheFrom on', async () => {
    const base = { kind: 'build', context: '/c', dockerfile: '/c/Dockerfile', args: {} } as const
    const { spec } = await translate({ build: { dockerfile: 'D', cacheFrom: 'x:y' } }, { base })
    expect(spec.base).toEqual({ ...base, cacheFrom: ['x:y'] })
  })
})

describe('refusals', () => {
  it.each([
    [
      { image: 'x', features: { 'ghcr.io/a/b:1': {} } },
      'HOLM_BLUEPRINT_UNSUPPORTED',
      /:1:\d+: features: .*ghcr\.io\/a\/b:1/,
    ],
    [
      { dockerComposeFile: 'compose.yaml', service: 'app' },
      'HOLM_BLUEPRINT_UNSUPPORTED',
      /dockerComposeFile/,
    ],
    [{ build: { dockerfile: 'D', options: ['--squash'] } }, 'HOLM_BLUEPRINT_UNSUPPORTED', /--squash/],
    [
      { image: 'x', runArgs: ['--init', '--cgroup-parent=x'] },
      'HOLM_BLUEPRINT_UNSUPPORTED',
      /"--cgroup-parent=x" has no counterpart/,
    ],
    [{ image: 'x', runArgs: ['--cap-ad=X'] }, 'HOLM_BLUEPRINT_UNSUPPORTED', /did you mean "--cap-add"/],
    [
      { image: 'x', runArgs: ['--memory', 'lots'] },
      'HOLM_BLUEPRINT_INVALID',
      /runArgs: --memory: "lots" is not a size/,
    ],
    [
      { image: 'x', runArgs: ['--network=container:db'] },
      'HOLM_BLUEPRINT_UNSUPPORTED',
      /network of another container/,
    ],
    [{ image: 'x', runArgs: ['-e'] }, 'HOLM_BLUEPRINT_INVALID', /-e has no value/],
    [
      { image: 'x', mounts: ['type=bind,target=/x'] },
      'HOLM_BLUEPRINT_INVALID',
      /mounts\[0\]: .* has no source/,
    ],
    [{ image: 'x', mounts: ['type=npipe,target=/x'] }, 'HOLM_BLUEPRINT_INVALID', /unknown type "npipe"/],
    [{ image: 'x', hostRequirements: { memory: 'much' } }, 'HOLM_BLUEPRINT_INVALID', /"much" is not a size/],
    [{ image: 'x', waitFor: 'later' }, 'HOLM_BLUEPRINT_INVALID', /waitFor: expected "initializeCommand"/],
    [{ image: 'x', remoteEnv: { A: 5 } }, 'HOLM_BLUEPRINT_INVALID', /remoteEnv\.A: expected text/],
    [{ name: 'nothing' }, 'HOLM_BLUEPRINT_INVALID', /neither image nor build\.dockerfile/],
    [[], 'HOLM_BLUEPRINT_INVALID', /is a map of keys/],
    ['{"image": }', 'HOLM_BLUEPRINT_SYNTAX', /devcontainer\.json:1:11: value expected/],
  ])('%j', async (config, code, message) => {
    const error = await failure(config)
    expect(error.message).toMatch(message)
    expect(error.code).toBe(code)
  })

  it('tell line and column', async () => {
    expect(
      (await failure('{\n  // image\n  "image": "x",\n  "runArgs": [\n    "--init",\n    "--oops"\n  ]\n}'))
        .message,
    ).toContain('devcontainer.json:6:5: runArgs: "--oops"')
    expect((await failure('{\n  "image": "x",\n  "features": {"a": {}}\n}')).message).toContain(
      'devcontainer.json:3:3: features',
    )
  })

  it('leave harmless keys alone and warn of unknown ones', async () => {
    const { warnings } = await load({
      image: 'x',
      features: {},
      overrideFeatureInstallOrder: ['a'],
      customizations: {},
      remotUser: 'x',
    })
    expect(warnings).toEqual([
      'devcontainer.json:1: the key "remotUser" is not known and is left out, did you mean "remoteUser"?',
    ])
  })
})

describe('the spec', () => {
  it('has the defaults of the specification', async () => {
    const { spec, warnings } = await translate({})
    expect(warnings).toEqual([])
    expect(spec).toMatchObject({
      name: 'app',
      hostname: 'app',
      main: 'hold',
      init: false,
      matchUserId: true,
      exec: { workdir: '/workspaces/app', env: {}, probe: 'loginInteractiveShell' },
      mounts: [{ type: 'bind', source: project, target: '/workspaces/app', readonly: false }],
      lifecycle: { waitFor: 'updateContent' },
      network: 'default',
      shutdown: 'stop',
      options: {},
    })
    expect(spec).not.toHaveProperty('user')
  })

  it('takes users, environment, security and lifecycle', async () => {
    const { spec } = await translate({
      containerUser: 'root',
      remoteUser: 'vscode',
      updateRemoteUserUID: false,
      containerEnv: {
        A: '${localEnv:TOKEN}',
        B: '${localEnv:NOPE:a:b}',
        C: '${localEnv:NOPE}',
        D: '${unknown}',
      },
      remoteEnv: { PATH: '${containerEnv:PATH}:/x', GONE: null },
      init: true,
      privileged: true,
      capAdd: ['SYS_PTRACE'],
      securityOpt: ['seccomp=unconfined'],
      overrideCommand: false,
      shutdownAction: 'none',
      userEnvProbe: 'none',
      waitFor: 'postCreateCommand',
      initializeCommand: 'echo ${localWorkspaceFolderBasename}',
      onCreateCommand: ['a', 'b'],
      updateContentCommand: { x: 'one', y: ['two'] },
      postCreateCommand: 'c',
      postStartCommand: '',
      postAttachCommand: 'cd ${containerWorkspaceFolder}',
      secrets: { API_KEY: { description: 'x' } },
    })
    expect(spec).toMatchObject({
      user: 'root',
      matchUserId: false,
      main: 'base',
      init: true,
      shutdown: 'none',
      env: { A: 'abc', B: 'a:b', C: '', D: '${unknown}' },
      exec: { user: 'vscode', probe: 'none', env: { PATH: '${containerEnv:PATH}:/x', GONE: null } },
      security: { privileged: true, capAdd: ['SYS_PTRACE'], securityOpt: ['seccomp=unconfined'] },
      lifecycle: {
        initialize: [[{ shell: 'echo app' }]],
        onCreate: [[{ argv: ['a', 'b'] }]],
        updateContent: [
          [
            { shell: 'one', name: 'x' },
            { argv: ['two'], name: 'y' },
          ],
        ],
        postCreate: [[{ shell: 'c' }]],
        postStart: [],
        postAttach: [[{ shell: 'cd /workspaces/app' }]],
        waitFor: 'postCreate',
      },
      secrets: { API_KEY: { from: 'env', key: 'API_KEY', optional: true } },
    })
  })

  it('mounts what is asked, by target, last wins', async () => {
    const { spec } = await translate({
      workspaceMount:
        'source=${localWorkspaceFolder},target=/srv/${localWorkspaceFolderBasename},type=bind,consistency=cached',
      workspaceFolder: '/srv/${localWorkspaceFolderBasename}/sub',
      mounts: [
        'source=cache-${devcontainerId},target=/cache,type=volume',
        { type: 'bind', source: '${localEnv:HOME}/.ssh', target: '/ssh', readonly: true },
        'type=tmpfs,dst=/tmp,tmpfs-size=64m',
        'src=first,dst=/one',
        'source=second,target=/one',
        'type=bind,"source=/a,b",target=/comma,ro',
      ],
    })
    const labels = { 'devcontainer.config_file': spec.origin.source, 'devcontainer.local_folder': project }
    const hex = createHash('sha256').update(JSON.stringify(labels)).digest('hex')
    const id = BigInt(`0x${hex}`).toString(32).padStart(52, '0')
    expect(id).toMatch(/^[0-9a-v]{52}$/)
    expect(spec.exec.workdir).toBe('/srv/app/sub')
    expect(spec.mounts).toEqual([
      { type: 'bind', source: project, target: '/srv/app', readonly: false },
      { type: 'volume', source: `cache-${id}`, target: '/cache', readonly: false },
      { type: 'bind', source: '/home/me/.ssh', target: '/ssh', readonly: true },
      { type: 'tmpfs', target: '/tmp', sizeBytes: 64 * 1024 ** 2 },
      { type: 'volume', source: 'second', target: '/one', readonly: false },
      { type: 'bind', source: '/a,b', target: '/comma', readonly: true },
    ])
  })

  it('warns where the folder is not where the project is', async () => {
    const { spec, warnings } = await translate({ workspaceFolder: '/elsewhere' })
    expect(spec.mounts[0]?.target).toBe('/workspaces/app')
    expect(warnings).toEqual([expect.stringContaining('set workspaceMount too')])
    expect((await translate({ workspaceMount: '', workspaceFolder: '/x' })).spec.mounts).toEqual([])
  })

  it('publishes and forwards ports', async () => {
    const { spec, warnings } = await translate({
      appPort: [3000, '8081:81'],
      forwardPorts: [3000, 'localhost:4000', 'db:5432'],
    })
    expect(spec.ports.map(({ host, container, hostIp }) => `${hostIp}:${host}:${container}`)).toEqual([
      '127.0.0.1:3000:3000',
      '127.0.0.1:8081:81',
      '127.0.0.1:4000:4000',
    ])
    expect(warnings).toEqual(['forwardPorts: "db:5432" is a port of another machine and is not forwarded'])
  })

  it('maps the known runArgs', async () => {
    const { spec, warnings } = await translate({
      runArgs: [
        '--cap-add=SYS_ADMIN',
        '--cap-drop',
        'NET_RAW',
        '--security-opt',
        'label=disable',
        '--device=/dev/kvm',
        '--init',
        '--network=host',
        '-h',
        'box',
        '--cpus=1.5',
        '-m',
        '2g',
        '--pids-limit=100',
        '-e',
        'A=1',
        '-e',
        'TOKEN',
        '--env=NOPE',
        '-v',
        '/data:/data:ro',
        '-v',
        'vol:/vol',
        '-v=./sub:/sub',
        '--mount',
        'type=tmpfs,target=/t',
        '--tmpfs=/tt:size=1m',
        '-p',
        '8080:80',
        '-p9090:90/udp',
        '--publish=70',
        '-u',
        'dev',
        '--label',
        'a=b=c',
        '--name',
        'mine',
        '--rm',
        '-it',
        '--shm-size=1g',
        '--gpus',
        'all',
        '--runtime=runsc',
        '--platform',
        'linux/arm64',
        '--ulimit',
        'nofile=1:2',
        '--ulimit=core=0',
        '--add-host=host.docker.internal:host-gateway',
        '--dns',
        '1.1.1.1',
        '--privileged=false',
        '--ipc=host',
      ],
    })
    expect(spec).toMatchObject({
      hostname: 'box',
      user: 'dev',
      init: true,
      network: 'host',
      env: { A: '1', TOKEN: 'abc' },
      exec: { user: 'dev' },
      resources: { cpus: 1.5, memoryBytes: 2 * 1024 ** 3, pids: 100 },
      security: {
        privileged: false,
        capAdd: ['SYS_ADMIN'],
        capDrop: ['NET_RAW'],
        securityOpt: ['label=disable'],
        devices: ['/dev/kvm'],
      },
      options: {
        docker: {
          shmSize: 1024 ** 3,
          gpus: 'all',
          runtime: 'runsc',
          platform: 'linux/arm64',
          ulimits: { nofile: { soft: 1, hard: 2 }, core: 0 },
          extraHosts: { 'host.docker.internal': 'host-gateway' },
          dns: ['1.1.1.1'],
          ipc: 'host',
        },
      },
      labels: { a: 'b=c' },
    })
    expect(spec.env).not.toHaveProperty('NOPE')
    expect(spec.mounts.slice(1).map((mount) => `${mount.type} ${mount.target}`)).toEqual([
      'bind /data',
      'volume /vol',
      'bind /sub',
      'tmpfs /t',
      'tmpfs /tt',
    ])
    expect(spec.mounts[3]).toMatchObject({ source: join(project, 'sub') })
    expect(spec.ports.map(({ host, container, protocol }) => `${host}:${container}/${protocol}`)).toEqual([
      '8080:80/tcp',
      '9090:90/udp',
      'undefined:70/tcp',
    ])
    expect(warnings).toHaveLength(2)
  })

  it('has minimums for the machine', async () => {
    const { requirements, spec, warnings } = await translate({
      hostRequirements: { cpus: 4, memory: '8gb', storage: '32gb', gpu: true },
    })
    expect(requirements).toEqual({
      cpus: 4,
      memoryBytes: 8 * 1024 ** 3,
      storageBytes: 32 * 1024 ** 3,
      gpu: 'required',
    })
    expect(spec.options).toEqual({ docker: { gpus: 'all' } })
    expect(warnings).toEqual(['the blueprint needs 8.0 GiB of memory, this machine has 4.0 GiB'])
    expect((await translate({ hostRequirements: { cpus: 5 } })).warnings).toEqual([
      'the blueprint needs 5 cores, this machine has 4',
    ])
    expect((await translate({ hostRequirements: { gpu: 'optional' } })).spec.options).toEqual({})
  })
})
