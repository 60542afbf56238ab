// The Upstash client as it is, for tests that look into Redis and for the stores' contracts: bounded in time, without
// retries of its own, values as they are.
import { Redis } from '@upstash/redis/cloudflare'

export interface RedisOptions {
  readonly url: string
  readonly token: string
  /** After that a call is given up, whatever of its answer has come. */
  readonly timeoutMs: number
  /** Reads see this client's own writes, at the price of a header. Scripts that write do anyway. */
  readonly readYourWrites: boolean
}

export function openRedis(options: RedisOptions): Redis {
  const { url, token, timeoutMs, readYourWrites } = options
  return new Redis({
    url,
    token,
    readYourWrites,
    signal: () => AbortSignal.timeout(timeoutMs),
    // `false` would still try twice.
    retry: { retries: 0 },
    automaticDeserialization: false,
    responseEncoding: false,
    enableTelemetry: false,
    enableAutoPipelining: false,
  })
}
