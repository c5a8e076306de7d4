import type { Suite } from './suite.ts'

const bwrap =
  'bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --unshare-pid --unshare-ipc --unshare-uts -- true'.split(
    ' ',
  )

export const sandbox: Suite = {
  name: 'sandbox',
  async *cases(lab) {
    const project = lab.createProject('sandboxed', { 'holm.yaml': 'name: sandboxed\nbase: host\n' })
    const up = (): Promise<string> => lab.holm(project, 'up', '--provider', 'sandbox')
    const destroy = (): Promise<string> => lab.holm(project, 'destroy', '--yes')
    yield {
      id: 'sandbox-up',
      title: 'first up of a sandbox on this machine’s files',
      contenders: [
        { name: 'bwrap … true', run: () => lab.run(bwrap) },
        { name: 'holm up', run: up, after: destroy },
      ],
      budgets: [],
    }
    await up()
    try {
      yield {
        id: 'sandbox-exec',
        title: 'run `true` in a running sandbox',
        contenders: [
          { name: 'bwrap … true', run: () => lab.run(bwrap) },
          { name: 'holm exec', run: () => lab.holm(project, 'exec', 'sandboxed', '--', 'true') },
        ],
        budgets: [{ of: 'holm exec', than: 'bwrap … true', plusMs: 70 }],
      }
    } finally {
      await destroy()
    }
  },
}
