import { nearNames } from '@holm/core/host'

/** "Did you mean a or b?", each after the prefix, or undefined when nothing is near. */
export function askDidYouMean(word: string, candidates: readonly string[], prefix = ''): string | undefined {
  const near = nearNames(word, candidates).map((candidate) => prefix + candidate)
  return near.length === 0 ? undefined : `Did you mean ${near.join(' or ')}?`
}
