// Sends a webhook from a process that shares its machine's network: the name is looked up here, every address that it has
// must be public, and the connection goes to the one that was looked at, so that a name that changes changes nothing.
import { lookup } from 'node:dns/promises'
import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP } from 'node:net'
import type { Sent } from '../../core/webhooks/delivery.ts'
import { isPublicAddressText } from '../../core/webhooks/public-address.ts'
import type { WebhookMessage } from '../../ports/webhooks.ts'

export interface PinnedSenderOptions {
  /** Every address of a name. */
  readonly resolve?: (name: string) => Promise<readonly string[]>
  readonly isPublic?: (address: string) => boolean
  /** Whom to trust besides the runtime's own list. */
  readonly ca?: string
}

export const pinnedWebhookSender =
  (options: PinnedSenderOptions = {}) =>
  async (message: WebhookMessage): Promise<Sent> => {
    const { resolve = resolveAll, isPublic = isPublicAddressText, ca } = options
    const late = Promise.withResolvers<Sent>()
    const aborter = new AbortController()
    const timer = setTimeout(() => {
      late.resolve({ kind: 'failed', error: 'timeout' })
      aborter.abort()
    }, message.timeoutMs)
    const attempt = async (): Promise<Sent> => {
      const url = new URL(message.url)
      const name = url.hostname.replace(/^\[|\]$/g, '')
      const addresses = isIP(name) === 0 ? await resolve(name) : [name]
      const [address] = addresses
      if (address === undefined) return { kind: 'failed', error: 'connection' }
      // One inner address among public ones is a trick as well.
      if (!message.isExempt && !addresses.every(isPublic)) {
        return { kind: 'failed', error: 'address_refused' }
      }
      return post(message, { url, address, name, ca, signal: aborter.signal })
    }
    try {
      return await Promise.race([attempt(), late.promise])
    } catch {
      return { kind: 'failed', error: 'connection' }
    } finally {
      clearTimeout(timer)
      aborter.abort()
    }
  }

interface Pinned {
  readonly url: URL
  readonly address: string
  readonly name: string
  readonly ca: string | undefined
  readonly signal: AbortSignal
}

function post(
  { headers, body }: WebhookMessage,
  { url, address, name, ca, signal }: Pinned,
): Promise<Sent> {
  const isTls = url.protocol === 'https:'
  return new Promise((resolve, reject) => {
    const asked = (isTls ? requestHttps : requestHttp)({
      method: 'POST',
      host: address,
      port: url.port === '' ? (isTls ? 443 : 80) : Number(url.port),
      path: `${url.pathname}${url.search}`,
      headers: { ...headers, host: url.host, 'content-length': Buffer.byteLength(body) },
      // A connection of its own: a pooled one would be known by its name.
      agent: false,
      signal,
      ...(isTls && isIP(name) === 0 ? { servername: name.replace(/\.$/, '') } : {}),
      ...(ca === undefined ? {} : { ca }),
    })
    asked.on('error', reject)
    asked.on('response', (answer: IncomingMessage) => {
      const { statusCode = 0, headers: said } = answer
      answer.destroy()
      resolve({ kind: 'answered', status: statusCode, retryAfter: said['retry-after'] ?? null })
    })
    asked.end(body)
  })
}

const resolveAll = async (name: string): Promise<readonly string[]> =>
  (await lookup(name, { all: true, order: 'verbatim' })).map(({ address }) => address)
