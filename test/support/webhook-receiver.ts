// Somebody who is told: what came, and what is answered, by address. In this process, without a socket.
import { Webhook } from 'standardwebhooks'
import type { Fetch } from '../../src/adapters/cloudflare/webhook-sender.ts'

export interface SeenWebhook {
  readonly url: string
  readonly id: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly at: number
}

/** @param tries how often this address was asked before */
export type Answering = (tries: number, signal: AbortSignal) => Response | Promise<Response>

export class WebhookReceiver {
  readonly seen: SeenWebhook[] = []
  readonly #answers = new Map<string, Answering>()
  #others = new Map<string, number>()

  answer(url: string, answering: Answering): void {
    this.#answers.set(url, answering)
  }

  at(url: string): readonly SeenWebhook[] {
    return this.seen.filter((each) => each.url === url)
  }

  readonly fetch: Fetch = async (url, init) => {
    const headers = Object.fromEntries(new Headers(init.headers))
    const tries = this.#others.get(url) ?? 0
    this.#others.set(url, tries + 1)
    const body = await new Response(init.body ?? null).text()
    this.seen.push({ url, id: headers['webhook-id'] ?? '', headers, body, at: Date.now() })
    if (init.method !== 'POST' || init.redirect !== 'manual') throw new Error('Not as agreed')
    const signal = init.signal ?? new AbortController().signal
    return (this.#answers.get(url) ?? (() => new Response(null, { status: 204 })))(tries, signal)
  }
}

/** Never answers; ends only as its caller ends it. */
export const hang: Answering = (_tries, signal) =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted')))
  })

/** By the library, as a receiver does it: which of the secrets signed. */
export const verifiedBy = (
  { headers, body }: Pick<SeenWebhook, 'headers' | 'body'>,
  secrets: readonly string[],
): readonly string[] =>
  secrets.filter((secret) => {
    try {
      new Webhook(secret).verify(body, headers)
      return true
    } catch {
      return false
    }
  })
