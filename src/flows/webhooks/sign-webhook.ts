// A webhook as Standard Webhooks has it (https://www.standardwebhooks.com): its id, which is the same at each try, the
// moment of the try, and a signature for each secret that is good now.
import { Webhook } from 'standardwebhooks'

export interface UnsignedWebhook {
  readonly id: string
  /** Epoch ms. */
  readonly at: number
  readonly body: string
}

export function signWebhook(
  { id, at, body }: UnsignedWebhook,
  secrets: readonly string[],
): Readonly<Record<string, string>> {
  const sentAt = new Date(at)
  return {
    'content-type': 'application/json',
    'user-agent': 'sluice-webhooks/1',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at / 1000)),
    'webhook-signature': secrets
      .map((secret) => new Webhook(secret).sign(id, sentAt, body))
      .join(' '),
  }
}

/** The same for the same event, by whomever and whenever it is told. */
export async function nameWebhook(owner: string, key: string): Promise<string> {
  const named = new TextEncoder().encode(JSON.stringify([owner, key]))
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', named))
  return `msg_${Array.from(hash.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('')}`
}
