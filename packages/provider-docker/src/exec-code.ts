import { setTimeout as wait } from 'node:timers/promises'
import type Docker from 'dockerode'

/** The engine closes an exec's streams a moment before it knows the code. */
export async function awaitExitCode(exec: Docker.Exec): Promise<number> {
  return (await awaitExit(exec)).ExitCode ?? 0
}

/** Asks until the program has ended: it may close its streams and go on. */
export async function awaitExit(exec: Docker.Exec): Promise<Docker.ExecInspectInfo> {
  for (let delay = 2; ; delay = Math.min(delay * 2, 250)) {
    const info = await exec.inspect()
    if (!info.Running && info.ExitCode !== null) return info
    await wait(delay)
  }
}
