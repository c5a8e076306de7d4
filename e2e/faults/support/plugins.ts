import type { FaultHolm } from './fault-holm.ts'

/** A plugin of the project that sends a signal to holm itself in the moment a step begins. */
export function signalAtStep(holm: FaultHolm, step: string, signal: NodeJS.Signals): void {
  addPlugin(
    holm,
    `api.hook('onEvent', (event) => {
      if (event.type === 'step-started' && event.step === ${JSON.stringify(step)}) process.kill(process.pid, '${signal}')
    })`,
  )
}

/** A plugin of the project with this setup. */
export function addPlugin(holm: FaultHolm, setup: string): void {
  holm.write('holm-fault.mjs', `export default { name: 'fault', contract: 1, setup(api) { ${setup} } }\n`)
  usePlugins(holm, ['./holm-fault.mjs'])
}

export function usePlugins(holm: FaultHolm, plugins: readonly string[]): void {
  holm.write('holm.config.json', JSON.stringify({ plugins }))
}
