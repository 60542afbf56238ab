// One Upstash client: bounded in time, without retries of its own, without telemetry, values as they are.
import { Redis } from '@upstash/redis/cloudflare'

export interface RedisOptions {
  readonly url: string
  readonly token: string
  /** After that a call is given up, whatever of its answer has come. */
  readonly timeoutMs: number
  /** Reads see this client's own writes, at the price of a header. Scripts that write do anyway. */
  readonly readYourWrites: boolean
  /** Commands that are given at one moment go in one round trip, as a pipeline. */
  readonly together?: boolean
}

export function openRedis(options: RedisOptions): Redis {
  const { url, token, timeoutMs, readYourWrites, together = false } = options
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
    enableAutoPipelining: together,
  })
}
