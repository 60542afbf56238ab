// Telling others what happened. An event that was taken is delivered at least once, under one `webhook-id` however often
// it is told; to whom, how often and with what success is its owner's own, in one place.
import type { Delivery } from '../core/webhooks/delivery.ts'
import type { EndedJob, WebhookEvent } from '../core/webhooks/event.ts'

export interface Webhooks {
  /** Resolves once it is kept, or where there is nobody to tell. Throws when it could not be: tell it again. */
  tell(event: WebhookEvent): Promise<void>
  /** The same for a job that came to its end. */
  jobEnded(job: EndedJob): Promise<void>
  /** How far the news of a job's end is; null: nobody is told. Throws when that cannot be asked. */
  deliveryOfJob(tenant: string, jobId: string, round?: number): Promise<Delivery | null>
  /** At once, with the schedule anew, at an address that was disabled too. False: there is none with this id. */
  redeliver(owner: string, id: string): Promise<boolean>
}

/** One attempt to deliver. */
export interface WebhookMessage {
  readonly url: string
  /** Its origin may lead anywhere: an operator's exception. */
  readonly isExempt: boolean
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly timeoutMs: number
}
