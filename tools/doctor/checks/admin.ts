// The admin plane is shut: for nobody, for a wrong token, for a tenant's key, by whatever path and method.
import { randomBytes } from 'node:crypto'
import type { Check } from '../check.ts'
import { ensureError } from '../claude-shape.ts'
import { ensure } from '../failure.ts'
import type { Target } from '../target.ts'

const group = 'admin'
const UNAUTHENTICATED = { status: 401, type: 'authentication_error' }
const TENANTS = '/admin/v1/tenants'
/** Ways to write the same place that something in front may read otherwise than the gateway does. */
const OTHER_SPELLINGS = [
  '//admin/v1/tenants',
  '/admin//v1/tenants',
  '/ADMIN/v1/tenants',
  '/%61dmin/v1/tenants',
  '/v1/%2e%2e/admin/v1/tenants',
  '/admin/v1/tenants/',
]

export const adminChecks: readonly Check[] = [
  {
    group,
    name: 'the admin plane is shut without a token',
    sluiceOnly: true,
    async run(target) {
      await ensureShut(target, TENANTS, {})
    },
  },
  {
    group,
    name: 'a wrong admin token is refused',
    sluiceOnly: true,
    async run(target) {
      const token = randomBytes(32).toString('hex')
      await ensureShut(target, TENANTS, { authorization: `Bearer ${token}` })
    },
  },
  {
    group,
    name: 'a data-plane key does not open the admin plane',
    sluiceOnly: true,
    async run(target) {
      await ensureShut(target, TENANTS, { authorization: `Bearer ${target.key}` })
      await ensureShut(target, TENANTS, { 'x-api-key': target.key })
    },
  },
  {
    group,
    name: 'no other spelling of its path opens the admin plane',
    sluiceOnly: true,
    async run(target) {
      for (const path of OTHER_SPELLINGS) {
        const headers = { authorization: `Bearer ${target.key}` }
        const { status } = await target.call(path, { headers, withKey: false })
        ensure(status === 401 || status === 404, `${path} answers ${status}, not 401 or 404`)
      }
    },
  },
]

async function ensureShut(
  target: Target,
  path: string,
  headers: Record<string, string>,
): Promise<void> {
  const answer = await target.call(path, { headers, withKey: false })
  ensureError(answer, UNAUTHENTICATED)
  const kept = answer.headers.get('cache-control') ?? 'absent'
  ensure(kept === 'no-store', `cache-control is ${kept} instead of no-store`)
}
