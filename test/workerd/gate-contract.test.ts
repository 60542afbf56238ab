import { env } from 'cloudflare:workers'
import { beforeAll } from 'vitest'
import { cloudflareAccountGates } from '../../src/adapters/cloudflare/account-gates.ts'
import { cloudflareGateOperations } from '../../src/adapters/cloudflare/gate-operations.ts'
import { describeAccountGates } from '../contract/account-gates.ts'
import { describeGateOperations } from '../contract/gate-operations.ts'

// The first object of all loads the code, which a busy machine may take longer over than a gate may take to answer.
beforeAll(() => env.ACCOUNT_GATE.getByName('first').isUsable())

describeAccountGates('Cloudflare', () => ({
  gates: cloudflareAccountGates(env.ACCOUNT_GATE),
  stop: () => {},
}))

describeGateOperations('Cloudflare', () => ({
  gates: cloudflareAccountGates(env.ACCOUNT_GATE),
  operations: cloudflareGateOperations(env.ACCOUNT_GATE),
  stop: () => {},
}))
