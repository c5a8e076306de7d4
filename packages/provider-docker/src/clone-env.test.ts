import { expect, it } from 'vitest'
import { cloneEnv } from './clone-env.ts'
import { label } from './names.ts'

it('puts back what the base has, and takes away what only the spec brought', () => {
  const container = { Labels: { [label.env]: '["PATH","TOKEN"]' } }
  const image = { Env: ['PATH=/usr/bin', 'LANG=C=UTF'] }
  expect(cloneEnv(container, image)).toEqual({ restore: { PATH: '/usr/bin' }, unset: ['TOKEN'] })
})

it('never brings back what an earlier clone took away', () => {
  const container = { Labels: { [label.env]: '["TOKEN"]' } }
  const image = { Env: ['TOKEN=old'], Labels: { [label.unset]: '["TOKEN"]' } }
  expect(cloneEnv(container, image)).toEqual({ restore: {}, unset: ['TOKEN'] })
})

it('does without labels', () => {
  expect(cloneEnv({}, { Env: ['A=b'] })).toEqual({ restore: {}, unset: [] })
  expect(cloneEnv({ Labels: { [label.env]: 'no json' } }, {})).toEqual({ restore: {}, unset: [] })
})
