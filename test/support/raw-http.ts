// HTTP as a caller's socket sees it: exact bytes up and down, repeated headers, half-sent bodies, and leaving by FIN
// or by RST. Nothing is retried, decoded or pooled behind a test's back.
import { Agent, request as httpRequest } from 'node:http'
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

export interface RawRequest {
  readonly method?: string
  readonly path: string
  /** Pairs, since a name may come twice. */
  readonly headers?: readonly (readonly [string, string])[]
  readonly body?: Uint8Array | string
  /** Sent with chunked framing, in pieces of this size, instead of a declared length. */
  readonly chunkBytes?: number
  /** A connection of its own, closed afterwards. */
  readonly ownConnection?: boolean
}

export interface RawAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** From the first byte written to the last byte read. */
  readonly tookMs: number
}

/** An answer whose headers have come; its body is read by whoever holds it. */
export interface OpenAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly response: IncomingMessage
  readonly socket: Socket
}

const agent = new Agent({ keepAlive: true, maxSockets: Infinity })
const IDEMPOTENT_NOISE = new Set(['ECONNRESET', 'EPIPE'])

export async function send(origin: string, request: RawRequest): Promise<RawAnswer> {
  const startedAt = performance.now()
  const { response } = await open(origin, request)
  const body = await readAll(response)
  const tookMs = performance.now() - startedAt
  return { status: response.statusCode ?? 0, headers: response.headers, body, tookMs }
}

export function open(origin: string, request: RawRequest): Promise<OpenAnswer> {
  const started = start(origin, request)
  return new Promise((resolve, reject) => {
    let answered = false
    started.on('response', (response) => {
      answered = true
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        response,
        socket: response.socket,
      })
    })
    started.on('error', (error: NodeJS.ErrnoException) => {
      // A server that refuses a body it has not read closes the connection under our writes.
      if (!answered || !IDEMPOTENT_NOISE.has(error.code ?? '')) reject(error)
    })
    started.on('close', () => {
      if (!answered) reject(new Error('The connection closed without an answer'))
    })
  })
}

/** Begins a request and hands out what can leave it; the body goes out at once, or half of it. */
export function start(origin: string, request: RawRequest, bodyShare = 1): ClientRequest {
  const { body, chunkBytes } = request
  const bytes = body === undefined ? null : Buffer.from(body)
  const headers = [...(request.headers ?? [])].flat()
  if (!hasHeader(request, 'host')) headers.push('host', new URL(origin).host)
  if (bytes !== null && chunkBytes === undefined && !hasHeader(request, 'content-length')) {
    headers.push('content-length', String(bytes.length))
  }
  if (bytes !== null && chunkBytes !== undefined) headers.push('transfer-encoding', 'chunked')
  const url = new URL(origin)
  const started = httpRequest({
    host: url.hostname,
    port: url.port,
    method: request.method ?? (bytes === null ? 'GET' : 'POST'),
    path: request.path,
    headers: headers as unknown as Record<string, string>,
    agent: request.ownConnection === true ? false : agent,
  })
  started.on('error', () => {})
  if (bytes === null) started.end()
  else if (bodyShare < 1) started.write(bytes.subarray(0, Math.floor(bytes.length * bodyShare)))
  else if (chunkBytes === undefined) started.end(bytes)
  else writeChunks(started, bytes, chunkBytes)
  return started
}

function writeChunks(started: ClientRequest, bytes: Buffer, chunkBytes: number): void {
  let at = 0
  const more = (): void => {
    while (at < bytes.length) {
      if (started.destroyed || started.closed) return
      const chunk = bytes.subarray(at, at + chunkBytes)
      at += chunkBytes
      if (!started.write(chunk)) return void started.once('drain', more)
    }
    started.end()
  }
  more()
}

const hasHeader = ({ headers }: RawRequest, name: string): boolean =>
  (headers ?? []).some(([own]) => own.toLowerCase() === name)

export async function readAll(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** Resolves once the text read so far holds `text`; the rest of the body stays to be read. */
export async function readUntil(response: IncomingMessage, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let read = ''
    const onData = (chunk: Buffer): void => {
      read += chunk.toString('latin1')
      if (!read.includes(text)) return
      response.off('data', onData)
      resolve(read)
    }
    response.on('data', onData)
    response.on('error', reject)
    response.on('end', () => reject(new Error(`The answer ended without "${text}": ${read}`)))
  })
}

export type Leaving = 'fin' | 'rst'

/** Goes away as a closed tab does (FIN), or as a killed process or a lost route does (RST). */
export function leave(socket: Socket, way: Leaving): void {
  if (way === 'rst') socket.resetAndDestroy()
  else socket.destroy()
}
