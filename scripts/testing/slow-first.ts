import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Files that take minutes: begun last, they would keep one worker busy while the others have nothing left to do. */
const slow = [
  /provider-qemu\/test\/conformance/,
  /provider-(lima|wsl)\/test\/conformance/,
  /\/test\/conformance/,
]

/** Vitest's own order on a new machine is by size, which says nothing of machines that boot. */
export default class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const usual = await super.sort(files)
    return usual.toSorted((a, b) => rankOf(a) - rankOf(b))
  }
}

function rankOf({ moduleId }: TestSpecification): number {
  const rank = slow.findIndex((pattern) => pattern.test(moduleId.replaceAll('\\', '/')))
  return rank === -1 ? slow.length : rank
}
