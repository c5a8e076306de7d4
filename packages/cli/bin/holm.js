#!/usr/bin/env node
import { enableCompileCache } from 'node:module'

enableCompileCache()

const [word, ...more] = process.argv.slice(2)
if ((word === '--version' || word === '-v' || word === 'version') && more.length === 0) {
  const { readFileSync, writeSync } = await import('node:fs')
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  // A stream for one line would cost more than the line.
  writeSync(1, `holm ${version}\n`)
} else {
  const { main } = await import(new URL('../dist/index.js', import.meta.url).href)
  await main()
}
