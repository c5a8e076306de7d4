import { flushCompileCache } from 'node:module'
import { setFlagsFromString } from 'node:v8'
import { runInThisContext } from 'node:vm'

/**
 * Ends this process with `code`, whatever is still open, after `keep`.
 *
 * V8's optimizing compilers make code on other threads. One of them may be waiting for this thread's garbage collector at the moment when
 * `process.exit` waits for that thread to end: then neither ever does (https://github.com/nodejs/node/issues/54918). So they are
 * waited for first, in the way V8 offers its own tests, during which they need not wait for this thread. A flag at the start that keeps
 * them from beginning would do, too, but with any flag changed Node cannot use the compiled form of its own modules.
 */
export function leave(code: number, keep?: () => void): never {
  try {
    // What was compiled is kept for the next start under the flags as they are now.
    flushCompileCache()
    keep?.()
    setFlagsFromString('--no-maglev')
    setFlagsFromString('--no-turbofan')
    setFlagsFromString('--allow-natives-syntax')
    runInThisContext('%WaitForBackgroundOptimization()')
  } catch {
    // Another V8 has another name for it: the process ends all the same, nearly always.
  }
  process.exit(code)
}
