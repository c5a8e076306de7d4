/** A limit on the median of `of`, relative to the median of `than` in the same run: so many times it, or so much more. */
export type Budget = { readonly of: string; readonly than: string } & (
  | { readonly times: number }
  | { readonly plusMs: number }
)

export interface Verdict {
  readonly of: string
  readonly than: string
  readonly ratio: number
  readonly differenceMs: number
  /** "<= 1.3x" or "<= +60 ms". */
  readonly budget: string
  readonly met: boolean
}

/** `medians` in milliseconds by contender; a budget whose contenders were not measured has no verdict. */
export function judge(budgets: readonly Budget[], medians: ReadonlyMap<string, number>): Verdict[] {
  return budgets.flatMap((budget) => {
    const ours = medians.get(budget.of)
    const theirs = medians.get(budget.than)
    return ours === undefined || theirs === undefined ? [] : [judgeOne(budget, ours, theirs)]
  })
}

function judgeOne(budget: Budget, ours: number, theirs: number): Verdict {
  const { of, than } = budget
  const ratio = ours / theirs
  const differenceMs = ours - theirs
  const met = 'times' in budget ? ratio <= budget.times : differenceMs <= budget.plusMs
  return { of, than, ratio, differenceMs, budget: describeBudget(budget), met }
}

function describeBudget(budget: Budget): string {
  return 'times' in budget ? `<= ${budget.times}x` : `<= +${budget.plusMs} ms`
}
