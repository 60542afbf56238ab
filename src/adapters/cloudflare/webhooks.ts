// Webhooks as Durable Objects, one an owner.
import type { TenantWebhooks } from '../../../durable-objects/tenant-webhooks.ts'
import { jobEndedEvent, jobKey } from '../../core/webhooks/event.ts'
import type { Webhooks } from '../../ports/webhooks.ts'
import { separateWaits } from '../separate-waits.ts'

export type WebhookNamespace = Pick<DurableObjectNamespace<TenantWebhooks>, 'getByName'>

const TIMEOUT_MS = 5_000
/** Each stub is used once: after an exception it is broken for good. */
const TRIES = 3
const PAUSE_MS = 100

export function cloudflareWebhooks(namespace: WebhookNamespace): Webhooks {
  const ask = async <T>(
    owner: string,
    call: (stub: DurableObjectStub<TenantWebhooks>) => Promise<T>,
  ): Promise<T> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await separateWaits.within(TIMEOUT_MS, call(namespace.getByName(owner)))
      } catch (error) {
        if (attempt === TRIES || Reflect.get(Object(error), 'overloaded') === true) throw error
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * attempt))
      }
    }
  }
  const tell: Webhooks['tell'] = (event) => ask(event.owner, async (stub) => stub.tell(event))
  return {
    tell,
    jobEnded: (job) => tell(jobEndedEvent(job)),
    deliveryOfJob: (tenant, jobId, round) =>
      ask(tenant, async (stub) => stub.standing(tenant, jobKey(jobId, round))),
    redeliver: (owner, id) => ask(owner, async (stub) => stub.redeliver(owner, id)),
  }
}
