/** Progress goes to stderr, so that stdout stays the result of whatever runs after the set-up. */

/** @param {number} since a `performance.now()` value */
export function elapsed(since) {
  const seconds = (performance.now() - since) / 1000
  return seconds < 60
    ? `${seconds.toFixed(1)} s`
    : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
}

/** @param {string} line */
export function say(line) {
  process.stderr.write(`${line}\n`)
}

/**
 * Runs one named step and tells how long it took.
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function step(name, work) {
  const since = performance.now()
  say(`setup: ${name} ...`)
  const result = await work()
  say(`setup: ${name} done (${elapsed(since)})`)
  return result
}
