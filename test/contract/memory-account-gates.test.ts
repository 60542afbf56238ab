import { memoryAccountGates } from '../../src/adapters/memory/account-gates.ts'
import { gateSettings } from '../support/admission.ts'
import { describeAccountGates } from './account-gates.ts'
import { describeGateOperations } from './gate-operations.ts'

describeAccountGates('memory', () => {
  const gates = memoryAccountGates(gateSettings(), { now: Date.now, random: Math.random })
  return { gates, stop: () => gates.stop() }
})

describeGateOperations('memory', () => {
  const gates = memoryAccountGates(gateSettings(), { now: Date.now, random: Math.random })
  return { gates, operations: gates, stop: () => gates.stop() }
})
