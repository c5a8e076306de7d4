import { preset } from '../../scripts/tsup-preset.ts'

// Without shared chunks: every file that a plugin's import of the contract opens is start-up time. Errors are told by their code.
export default preset({ index: 'src/index.ts', 'host/index': 'src/host/index.ts' }, { splitting: false })
