import { preset } from '../../scripts/tsup-preset.ts'

export default preset(
  { index: 'src/index.ts', methods: 'src/methods.ts', node: 'src/node.ts' },
  { platform: 'neutral' },
)
