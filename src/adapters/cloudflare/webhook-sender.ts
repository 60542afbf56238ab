// Sends a webhook by the platform's fetch. Where a name leads is not ours to see here: the platform looks it up and
// connects, and its own network has no inner addresses of ours to offer.
import type { Sent } from '../../core/webhooks/delivery.ts'
import type { WebhookMessage } from '../../ports/webhooks.ts'

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export const fetchWebhookSender =
  (fetch: Fetch) =>
  async ({ url, headers, body, timeoutMs }: WebhookMessage): Promise<Sent> => {
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), timeoutMs)
    try {
      const answer = await fetch(url, {
        method: 'POST',
        // A checked address must not become another one.
        redirect: 'manual',
        headers,
        body,
        signal: late.signal,
      })
      // What it says is for nobody: only its status counts.
      await answer.body?.cancel().catch(() => {})
      const retryAfter = answer.headers.get('retry-after')
      return { kind: 'answered', status: answer.status, retryAfter }
    } catch {
      return { kind: 'failed', error: late.signal.aborted ? 'timeout' : 'connection' }
    } finally {
      clearTimeout(timer)
    }
  }
