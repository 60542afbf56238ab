import { expect, test } from 'vitest'
import { memoryAccountGates } from '../../src/adapters/memory/account-gates.ts'
import type { UsageRecord } from '../../src/core/money/usage-record.ts'
import { ask, gateSettings, served, settlement, usageRecord } from '../support/admission.ts'
import { anAccount, describeAccountGates } from './account-gates.ts'
import { describeGateOperations } from './gate-operations.ts'

describeAccountGates('memory', () => {
  const gates = memoryAccountGates(gateSettings(), { now: Date.now, random: Math.random })
  return { gates, stop: () => gates.stop() }
})

describeGateOperations('memory', () => {
  const gates = memoryAccountGates(gateSettings(), { now: Date.now, random: Math.random })
  return { gates, operations: gates, stop: () => gates.stop() }
})

test('memory gates hand the usage of a lease to its keeper once', async () => {
  const kept: UsageRecord[] = []
  const gates = memoryAccountGates(gateSettings(), {
    now: Date.now,
    random: Math.random,
    keepUsage: async (_, usage) => void kept.push(usage),
  })
  const account = anAccount('a')
  await gates.admit(account, ask('l'))
  const said = settlement('l', served, { usage: usageRecord('r') })
  await gates.settle(account, said)
  await gates.settle(account, said)
  expect(kept).toEqual([usageRecord('r')])
})
