// Reads a request's body whole, but never more of it than the limit allows.
import { GatewayError } from '../core/errors.ts'

/** Throws where the body is said to be something else than JSON as it is. */
export function checkJsonHeaders(headers: Headers): void {
  const type = headers.get('content-type')
  if (type !== null && !/^application\/([\w.+-]+\+)?json\s*(;[^,]*)?$/i.test(type)) {
    throw new GatewayError('invalid_request', 'content-type: expected application/json')
  }
  const encoding = headers.get('content-encoding')
  if (encoding !== null && encoding !== 'identity') {
    throw new GatewayError('invalid_request', 'content-encoding: expected none')
  }
}

/** Throws `body_too_large` before reading where the length is declared, else as soon as it is passed. */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const declared = request.headers.get('content-length')
  if (declared !== null && /^\d+$/.test(declared)) {
    if (Number(declared) > maxBytes) throw tooLarge(maxBytes)
    return new Uint8Array(await request.arrayBuffer().catch(endedEarly))
  }
  if (request.body === null) return new Uint8Array(0)
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = request.body.getReader()
  for (;;) {
    const { value, done } = await reader.read().catch(endedEarly)
    if (done) return concat(chunks, size)
    size += value.byteLength
    if (size > maxBytes) {
      reader.releaseLock()
      throw tooLarge(maxBytes)
    }
    chunks.push(value)
  }
}

/** As much as the platform lets through at all. */
const MAX_DISCARDED_BYTES = 128 * 1024 * 1024
/** A sender slower than that loses its answer. */
const MAX_DISCARD_MS = 10_000

/**
 * Reads what is left of a refused request's body and forgets it: a server that answers and closes while its client
 * still writes resets the connection, and the answer is lost with it.
 */
export async function discardBody(request: Request): Promise<void> {
  if (request.body === null || request.body.locked) return
  const reader = request.body.getReader()
  const late = setTimeout(() => void reader.cancel().catch(() => {}), MAX_DISCARD_MS)
  try {
    for (let size = 0; size < MAX_DISCARDED_BYTES;) {
      const { value, done } = await reader.read()
      if (done) return
      size += value.byteLength
    }
  } catch {
    // The caller is gone.
  } finally {
    clearTimeout(late)
  }
}

function endedEarly(cause: unknown): never {
  throw new GatewayError('invalid_request', 'The request body ended before its declared length', {
    cause,
  })
}

const tooLarge = (maxBytes: number): GatewayError =>
  new GatewayError('body_too_large', `Request body exceeds the limit of ${maxBytes} bytes`)

export function concat(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const [only] = chunks
  if (chunks.length === 1 && only !== undefined) return only
  const whole = new Uint8Array(size)
  let offset = 0
  for (const chunk of chunks) {
    whole.set(chunk, offset)
    offset += chunk.byteLength
  }
  return whole
}
