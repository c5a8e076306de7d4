import { describeProvider } from '../src/index.ts'
import { memoryKit } from './subject.ts'

describeProvider('memory', memoryKit())
