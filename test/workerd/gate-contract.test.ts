import { env } from 'cloudflare:workers'
import { cloudflareAccountGates } from '../../src/adapters/cloudflare/account-gates.ts'
import { describeAccountGates } from '../contract/account-gates.ts'

describeAccountGates('Cloudflare', () => ({
  gates: cloudflareAccountGates(env.ACCOUNT_GATE),
  stop: () => {},
}))
