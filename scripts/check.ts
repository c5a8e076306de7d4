// `pnpm check`: everything that needs no runtime on the machine. What CI runs on all platforms.
import { fastTests, listStaticSteps, runSteps } from './check/steps.ts'

const results = await runSteps([...listStaticSteps(), fastTests])
const failed = results.filter((result) => !result.passed)
if (failed.length > 0) {
  console.error(`check failed: ${failed.map((result) => result.name).join(', ')}`)
  process.exitCode = 1
}
