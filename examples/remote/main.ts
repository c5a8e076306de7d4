import { readFileSync } from 'node:fs'
import { connectSocket } from '@holm/sdk/node'

const ready = JSON.parse(readFileSync(process.argv[2] ?? 'ready.json', 'utf8')) as {
  readonly socket: string
  readonly tokenFile: string
}
const client = await connectSocket(ready)

const { environment: made } = await client.call('environment.up', { folder: import.meta.dirname })
console.log(`${made.name} is ${made.status} on ${made.provider}`)

const environment = made.name
await client.writeFile({ environment, path: 'greeting.txt' }, 'Hello from outside\n')
const { stdout } = await client.call('exec.run', { environment, argv: ['cat', 'greeting.txt'] })
console.log(stdout.trimEnd())
await client.call('fs.rm', { environment, path: 'greeting.txt' })

const sorter = await client.exec({ environment, argv: ['sort'], stdin: true })
const sorted = new Response(sorter.stdout).text()
void sorter.stderr.cancel()
for (const word of ['pear', 'apple', 'fig']) await sorter.write(`${word}\n`)
await sorter.end()
console.log((await sorted).split('\n').join(' ').trimEnd())
console.log(`exit code ${(await sorter.exited).code}`)

await client.call('environment.destroy', { name: environment })
client.close()
