// Reads a request's body up to a limit, and as JSON where a route wants it.
import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { ApiError, invalid } from './api-error.ts'
import type { Exchange } from './exchange.ts'

/** Resolves undefined when the caller went away before the end. */
export async function readBody(
  req: IncomingMessage,
  limitBytes: number,
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  const bytes = await receive(req, limitBytes, (chunk) => chunks.push(chunk))
  if (bytes === undefined) return undefined
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)
}

/** Lets a body pass by and says how long it was. */
export function drainBody(req: IncomingMessage, limitBytes: number): Promise<number | undefined> {
  return receive(req, limitBytes, () => undefined)
}

function receive(
  req: IncomingMessage,
  limitBytes: number,
  take: (chunk: Buffer) => void,
): Promise<number | undefined> {
  const announced = Number(req.headers['content-length'] ?? 0)
  if (announced > limitBytes) return Promise.reject(tooLarge())
  return new Promise((resolve, reject) => {
    let bytes = 0
    req.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > limitBytes) reject(tooLarge())
      else take(chunk)
    })
    req.on('end', () => resolve(bytes))
    req.on('error', () => resolve(undefined))
    req.on('close', () => resolve(undefined))
  })
}

export function parseJson(exchange: Exchange): unknown {
  const encoding = exchange.req.headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity') {
    throw new ApiError(400, `The request body encoding "${encoding}" is not supported.`, {
      details: { error_code: 'request_body_encoding_unsupported' },
    })
  }
  if (exchange.body.length === 0) throw invalid('The request body is empty')
  if (!isUtf8(exchange.body)) throw invalid('The request body is not valid JSON: invalid UTF-8')
  try {
    return JSON.parse(exchange.body.toString()) as unknown
  } catch (error) {
    const reason = error instanceof Error ? error.message.slice(0, 120) : 'unreadable'
    throw invalid(`The request body is not valid JSON: ${reason}`)
  }
}

function tooLarge(): ApiError {
  return new ApiError(413, 'Request exceeds the maximum size')
}
