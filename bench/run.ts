// `pnpm bench [suite…] [--runs N] [--warmups N] [--no-save]`: see docs/guide/benchmarks.md.
import { runBench } from './src/bench.ts'

// What the engine's helpers say is progress: stdout is for the tables alone.
console.log = console.error

process.exitCode = await runBench(process.argv.slice(2))
