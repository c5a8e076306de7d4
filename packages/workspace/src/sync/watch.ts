import { basename } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { workFolder } from './rules.ts'

/** Says when something in a folder changed. */
export interface Watcher {
  /** Resolves at the next change, at the deadline, or when the signal fires. */
  next(deadlineMs: number): Promise<void>
  close(): Promise<void>
}

/** Changes come in groups: the first is followed by others. */
const restMs = 200

/** File events of folders of this machine. What is excluded by its plain name is not even looked at. */
export async function watchFolders(
  folders: readonly string[],
  { exclude, signal }: { readonly exclude: readonly string[]; readonly signal: AbortSignal },
): Promise<Watcher> {
  const { watch } = await import('chokidar')
  const ignored = new Set(['.git', workFolder, ...exclude.map((pattern) => pattern.replace(/\/$/, ''))])
  const watcher = watch([...folders], {
    ignored: (path) => ignored.has(basename(path)),
    ignoreInitial: true,
    followSymlinks: false,
  })
  let changed = false
  let wake = (): void => undefined
  const notice = (): void => {
    changed = true
    wake()
  }
  watcher.on('all', notice)
  // A folder that cannot be watched is looked at when the deadline is reached.
  watcher.on('error', notice)
  signal.addEventListener('abort', () => wake(), { once: true })
  return {
    async next(deadlineMs) {
      if (!changed && !signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>()
        wake = resolve
        const timer = setTimeout(resolve, deadlineMs)
        await promise
        clearTimeout(timer)
      }
      if (changed) await wait(restMs, undefined, { signal }).catch(() => undefined)
      changed = false
    },
    close: () => watcher.close(),
  }
}
