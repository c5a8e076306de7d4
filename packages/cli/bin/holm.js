#!/usr/bin/env node
// Checked before anything that an older Node cannot even parse is loaded.
if (Number.parseInt(process.versions.node, 10) < 24) {
  process.stderr.write(
    `error HOLM_TOOL_MISSING: holm needs Node 24 or newer, this is ${process.versions.node}\n`,
  )
  process.stderr.write('hint: Install Node 24, or run holm with it: npx -p node@24 -p @holm/cli holm\n')
  process.exit(5)
}

const [word, ...more] = process.argv.slice(2)
if (word === '--version' || word === '-v' || (word === 'version' && more.length === 0)) {
  const { readFileSync, writeSync } = await import('node:fs')
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  // A stream for one line would cost more than the line.
  writeSync(1, more.includes('--json') ? `${JSON.stringify({ version })}\n` : `holm ${version}\n`)
} else {
  const { start } = await import(new URL('../dist/start.js', import.meta.url).href)
  await start()
}
