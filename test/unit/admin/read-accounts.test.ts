import { expect, test } from 'vitest'
import { GatewayError } from '../../../src/core/errors.ts'
import { createAccountReader } from '../../../src/flows/admin/read-accounts.ts'
import type { AdminSession } from '../../../src/ports/admin.ts'
import type { Services } from '../../../src/ports.ts'
import { anAccount } from '../../contract/account-gates.ts'
import { testSealer } from '../../support/stored-accounts.ts'

const lost = () => Promise.reject(new GatewayError('gate_unavailable', 'no answer'))
const services = {
  config: { accounts: [anAccount('a')], baseUrl: 'https://claude.test' },
  operations: { snapshot: lost, timeline: lost, operate: lost, retire: lost },
  // All that reading accounts asks for.
} as unknown as Services
const session = {
  listAccounts: async () => ({ accounts: [], unreadable: [] }),
} as unknown as AdminSession

const reader = createAccountReader(services, testSealer)

test('a gate that cannot be reached does not hide the other accounts in the list', async () => {
  const { data } = await reader.list(session, { limit: 10, after: null })
  expect(data).toMatchObject([
    { id: 'a', state: null, unused: { reason: 'gate_unavailable', until: null }, weight: 1 },
  ])
})

test('a gate that cannot be reached is said where it is asked for alone', async () => {
  const view = await reader.find(session, 'a')
  await expect(reader.show(view)).rejects.toMatchObject({ reason: 'gate_unavailable' })
  await expect(reader.timeline(view, { limit: 1, after: null })).rejects.toMatchObject({
    reason: 'gate_unavailable',
  })
})
