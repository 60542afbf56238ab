// Refuses an address that no webhook may be sent to, where it is registered.
import { judgeWebhookAddress } from '../../core/webhooks/address.ts'
import { GatewayError } from '../../core/errors.ts'

export interface AddressField {
  /** Where the caller wrote it. */
  readonly field: string
  readonly allowedOrigins: readonly string[]
}

/** Throws `webhook_url_refused`. */
export function checkWebhookAddress(text: string, { field, allowedOrigins }: AddressField): void {
  const judged = judgeWebhookAddress(text, allowedOrigins)
  if (judged.kind === 'refused') {
    throw new GatewayError('webhook_url_refused', `${field}: ${judged.problem}`)
  }
}
