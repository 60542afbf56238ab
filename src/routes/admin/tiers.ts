// Tiers: named sets of limits.
import { Hono } from 'hono'
import { showTier, tierBody, tierName } from '../../core/admin/tier-body.ts'
import { readFields } from '../../core/admin/fields.ts'
import { GatewayError } from '../../core/errors.ts'
import { expectOnly, parsePage, renderList } from '../../flows/admin/pages.ts'
import { parseFields, readAdminBody } from '../../flows/admin/read-fields.ts'
import type { AdminEnv } from './admin-env.ts'

export const tiers = () =>
  new Hono<AdminEnv>()
    .get('/tiers', async (c) => {
      expectOnly(c.req.query(), [])
      const page = parsePage(c.req.query(), ['string'])
      return c.json(renderList(await c.get('admin').session.listTiers(page), showTier))
    })
    .get('/tiers/:name', async (c) => {
      const name = c.req.param('name')
      const tier = await c.get('admin').session.findTier(name)
      if (tier === null) throw new GatewayError('not_found', 'name: there is no such tier')
      return c.json(showTier(tier))
    })
    .put('/tiers/:name', async (c) => {
      const { session, write } = c.get('admin')
      const named = readFields(tierName, c.req.param('name'))
      if (named.kind === 'bad') {
        throw new GatewayError('invalid_request', `name in the path: ${named.problems.join('; ')}`)
      }
      const tier = parseFields(tierBody(named.value), await readAdminBody(c.req.raw))
      await session.putTier(tier, write(null))
      return c.json(showTier(tier))
    })
