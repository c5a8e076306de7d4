import { providerPreset } from '../../scripts/tsup-preset.ts'

export default providerPreset()
