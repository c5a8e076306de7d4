import { createHost } from '@holm/core/host'

const signal = AbortSignal.timeout(120_000)
const plugins = ['@holm/provider-sandbox', '@holm/provider-docker']
const host = await createHost({ cwd: import.meta.dirname, plugins })

const { environment, outcome } = await host.up({
  signal,
  onEvent: (event) => event.type === 'step-done' && console.log(`step ${event.step}`),
})
console.log(`${environment.name} is ${outcome} on ${environment.provider}`)

const child = await host.exec({
  environment: environment.name,
  argv: ['sh', '-c', 'echo "$GREETING"'],
  signal,
})
for await (const chunk of child.stdout) process.stdout.write(chunk)
console.log(`exit code ${(await child.exited).code}`)

for (const { name, status } of await host.list({ signal })) console.log(`${name}: ${status}`)
await host.destroy(environment.name)
await host.close()
