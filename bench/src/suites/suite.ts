import type { Lab } from '../lab.ts'
import type { Case } from '../measure.ts'

/** A group of cases; what it sets up before a case, it takes away after it, in a `finally`. */
export interface Suite {
  readonly name: string
  readonly needs?: 'docker'
  readonly cases: (lab: Lab) => AsyncIterable<Case>
}
