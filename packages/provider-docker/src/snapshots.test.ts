import { expect, it } from 'vitest'
import { imageId } from './snapshots.ts'

it.each([
  ['docker', `sha256:${'a'.repeat(64)}`, `sha256:${'a'.repeat(64)}`],
  ['podman 4.3', 'f41c'.repeat(16), `sha256:${'f41c'.repeat(16)}`],
])('the id of a committed image as %s tells it', (_engine, told, id) => {
  expect(imageId(told)).toBe(id)
})
