// What an operator does with webhooks: sees how deliveries stand, has one delivered again, shows and rotates the secrets.
import { showTime, showTimeOrNull } from '../../core/admin/times.ts'
import { GatewayError } from '../../core/errors.ts'
import { OPERATOR } from '../../core/webhooks/event.ts'
import type { ListedDelivery } from '../../ports/admin.ts'
import type { Services } from '../../ports.ts'
import { peppersOf } from '../hash-key.ts'
import { createWebhookSecrets, type SecretVersion } from '../webhooks/webhook-secrets.ts'
import type { Plan } from './answer-once.ts'
import { findTenant } from './manage-tenants.ts'
import type { AdminRequest } from './open-admin.ts'

export const showDelivery = (delivery: ListedDelivery) => ({
  id: delivery.id,
  tenant: delivery.owner === OPERATOR ? null : delivery.owner,
  type: delivery.type,
  url: delivery.url,
  state: delivery.state,
  created_at: showTime(delivery.createdAt),
  ended_at: showTimeOrNull(delivery.endedAt),
  next_attempt_at: showTimeOrNull(delivery.dueAt),
  attempt_count: delivery.attemptCount,
  attempts: delivery.attempts.map(({ at, durationMs, status, error }) => ({
    at: showTime(at),
    duration_ms: durationMs,
    status,
    error,
  })),
})

export interface WebhookDesk {
  planRedelivery(admin: AdminRequest, id: string): Promise<Plan>
  /** @param owner a tenant's id, or the operator */
  showSecret(admin: AdminRequest, owner: string): Promise<unknown>
  planRotation(admin: AdminRequest, owner: string, graceMs: number): Promise<Plan>
}

export function createWebhookDesk(services: Services): WebhookDesk {
  const secrets = createWebhookSecrets(peppersOf(services.config.keys))

  const identify = async ({ session }: AdminRequest, owner: string) =>
    owner === OPERATOR
      ? { id: owner, createdAt: 0 }
      : { id: owner, createdAt: (await findTenant(session, owner)).createdAt }

  const show = async (
    owner: { readonly id: string; readonly createdAt: number },
    standing: SecretVersion,
  ) => {
    const now = services.now()
    const [secret, ...former] = await secrets.of(owner, standing, now)
    return {
      tenant: owner.id === OPERATOR ? null : owner.id,
      version: standing.version,
      secret,
      also_signing: former,
      former_until: standing.formerUntil > now ? showTime(standing.formerUntil) : null,
    }
  }

  return {
    async planRedelivery({ session }, id) {
      const found = await session.findDelivery(id)
      if (found === null) throw noDelivery()
      const { owner } = found
      return {
        status: 200,
        body: { id, state: 'pending' },
        async commit(write) {
          const taken = await services.webhooks.redeliver(owner, id).catch((cause: unknown) => {
            const message = 'The deliveries of this tenant cannot be reached'
            throw new GatewayError('store_unavailable', message, { cause })
          })
          if (!taken) throw noDelivery()
          const tenant = owner === OPERATOR ? null : owner
          const event = { action: 'webhook.redeliver', target: id, tenant, before: null }
          await session.addEvent({ ...event, after: null }, write)
        },
      }
    },
    async showSecret(admin, owner) {
      const identity = await identify(admin, owner)
      const shown = await show(identity, await admin.session.findWebhookSecret(owner))
      const tenant = owner === OPERATOR ? null : owner
      const event = { action: 'webhook_secret.show', target: owner, tenant, before: null }
      await admin.session.addEvent({ ...event, after: null }, admin.write(null))
      return shown
    },
    async planRotation(admin, owner, graceMs) {
      const identity = await identify(admin, owner)
      const { version } = await admin.session.findWebhookSecret(owner)
      const next = { version: version + 1, formerUntil: services.now() + graceMs }
      return {
        status: 200,
        body: await show(identity, next),
        async commit(write) {
          if (await admin.session.rotateWebhookSecret(owner, next, write)) return
          throw new GatewayError('idempotency_in_flight', 'Another rotation was made meanwhile')
        },
      }
    },
  }
}

const noDelivery = (): GatewayError =>
  new GatewayError('not_found', 'webhook: there is no delivery with this id')
