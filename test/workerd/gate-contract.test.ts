import { env } from 'cloudflare:workers'
import { cloudflareAccountGates } from '../../src/adapters/cloudflare/account-gates.ts'
import { cloudflareGateOperations } from '../../src/adapters/cloudflare/gate-operations.ts'
import { describeAccountGates } from '../contract/account-gates.ts'
import { describeGateOperations } from '../contract/gate-operations.ts'

describeAccountGates('Cloudflare', () => ({
  gates: cloudflareAccountGates(env.ACCOUNT_GATE),
  stop: () => {},
}))

describeGateOperations('Cloudflare', () => ({
  gates: cloudflareAccountGates(env.ACCOUNT_GATE),
  operations: cloudflareGateOperations(env.ACCOUNT_GATE),
  stop: () => {},
}))
