import { existsSync } from 'node:fs'
import { startDockerd } from '../../scripts/testing/dockerd.ts'
import { sweepEngines } from '../../scripts/testing/engine-records.ts'
import { prepareImage } from './image.ts'
import { runProgram } from './program.ts'

/** A Docker engine with the image of the benchmark in it. */
export interface Engine {
  readonly host: string
  /** The docker client that the raw runs and `@devcontainers/cli` use. */
  readonly cli: string
  readonly image: string
  readonly imageDescription: string
  stop(): Promise<void>
}

/** An engine of our own, or the one of HOLM_TEST_DOCKER_HOST, which is left as it was found. */
export async function openEngine(namespace: string): Promise<Engine> {
  const cli = existsSync('/usr/bin/docker') ? '/usr/bin/docker' : 'docker'
  const given = process.env['HOLM_TEST_DOCKER_HOST']
  const source = await prepareImage()
  await sweepEngines()
  const started = given === undefined ? await startDockerd() : undefined
  const host = given ?? started?.host
  if (host === undefined) throw new Error('there is no Docker engine, and none could be started')
  const image = `${namespace}:latest`
  const docker = (...args: string[]): Promise<string> => runProgram([cli, '--host', host, ...args])
  const stop = started?.stop ?? (async () => void (await docker('image', 'rm', '--force', image)))
  try {
    await docker('import', source.tarball, image)
  } catch (error) {
    await stop()
    throw error
  }
  return { host, cli, image, imageDescription: source.description, stop }
}
