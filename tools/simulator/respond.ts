// Turns an answer into HTTP: heads, JSON bodies, streams and refusals, with the body faults of the
// exchange on the way.
import { ApiError, errorBody } from './api-error.ts'
import { Delivery, type Piece } from './delivery.ts'
import type { Exchange } from './exchange.ts'
import type { EndingFault } from './faults.ts'
import { RateLimited } from './rate-limits.ts'
import { claudeHeaders, type HeaderPair } from './response-headers.ts'
import { trickleHead } from './trickle-head.ts'

const JSON_TYPE = 'application/json'
const HTML = 'text/html; charset=UTF-8'
const PAGE =
  '<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n'

export interface JsonAnswer {
  status: number
  body: string | Buffer
  headers?: HeaderPair[]
  contentType?: string
}

export function sendValue(exchange: Exchange, value: unknown, status = 200): void {
  sendJson(exchange, { status, body: JSON.stringify(value) })
}

export function sendJson(exchange: Exchange, answer: JsonAnswer): void {
  if (exchange.finished) return
  const { faults } = exchange
  const { body, type } = faultyBody(exchange, answer)
  const bytes = Buffer.byteLength(body)
  writeHead(exchange, answer.status, [
    ['content-type', type],
    ['content-length', String(bytes)],
    ...(answer.headers ?? []),
  ])
  const ending = endingForBody(faults.ending, bytes)
  const plain =
    ending === undefined &&
    faults.splitBytes === undefined &&
    faults.slowBodyMs === undefined &&
    faults.slowHeadersMs === undefined
  if (plain) {
    exchange.sent(bytes)
    exchange.res.end(body)
    exchange.finish(faults.status === undefined ? 'completed' : 'faulted')
    return
  }
  const piece = { data: body, delayMs: 0, events: 0, tokens: 0 }
  new Delivery(exchange, [piece], { ending, hasLength: true }).start()
}

export interface StreamAnswer {
  status?: number
  contentType?: string
  pieces: Iterable<Piece>
  produced?: (tokens: number) => void
  headers?: HeaderPair[]
}

export function sendStream(exchange: Exchange, answer: StreamAnswer): void {
  if (exchange.finished) return
  const { faults } = exchange
  const declared = answer.contentType ?? 'text/event-stream; charset=utf-8'
  const wrong = faults.body === 'wrong-type' || faults.body === 'html'
  writeHead(exchange, answer.status ?? 200, [
    ['content-type', wrong ? HTML : declared],
    ['cache-control', 'no-cache'],
    ...(answer.headers ?? []),
  ])
  new Delivery(exchange, faultyPieces(exchange, answer.pieces), {
    ending: faults.ending,
    produced: answer.produced,
  }).start()
}

export function sendError(exchange: Exchange, thrown: unknown): void {
  if (exchange.finished) return
  if (exchange.res.headersSent) {
    exchange.res.destroy()
    return
  }
  const error =
    thrown instanceof ApiError ? thrown : new ApiError(500, `simulator: ${String(thrown)}`)
  if (error instanceof RateLimited) exchange.rateView = () => error.view
  const body = JSON.stringify(
    exchange.errorStyle === 'openai'
      ? openAiError(error)
      : errorBody(error, exchange.entry.request_id),
  )
  sendJson(exchange, { status: error.status, body, headers: Object.entries(error.headers) })
}

function openAiError(error: ApiError) {
  return { error: { code: null, message: error.message, type: error.type, param: null } }
}

export function writeHead(exchange: Exchange, status: number, own: HeaderPair[]): void {
  const { res, faults, sim } = exchange
  exchange.entry.status = status
  const headers = [...own, ...claudeHeaders(exchange, status)]
  if (faults.slowHeadersMs !== undefined && res.socket !== null) {
    trickleHead(res.socket, sim.wheel, faults.slowHeadersMs)
  }
  res.writeHead(status, headers.flat())
}

export function htmlPage(): string {
  return PAGE
}

function faultyBody(exchange: Exchange, answer: JsonAnswer) {
  const { body } = answer
  const type = answer.contentType ?? JSON_TYPE
  switch (exchange.faults.body) {
    case 'bad-json':
      return { body: `${body.toString().slice(0, Math.ceil(body.length / 2))}\u0000{`, type }
    case 'empty':
      return { body: '', type }
    case 'wrong-type':
      return { body, type: HTML }
    case 'html':
      return { body: PAGE, type: HTML }
    default:
      return { body, type }
  }
}

function faultyPieces(exchange: Exchange, pieces: Iterable<Piece>): Iterable<Piece> {
  switch (exchange.faults.body) {
    case 'empty':
      return []
    case 'html':
      return [{ data: PAGE, delayMs: 0, events: 0, tokens: 0 }]
    case 'bad-json':
      return withBrokenEvent(pieces)
    default:
      return pieces
  }
}

function* withBrokenEvent(pieces: Iterable<Piece>): Generator<Piece> {
  let at = 0
  for (const piece of pieces) {
    yield piece
    if (at++ === 2) {
      const data = 'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,\n\n'
      yield { data, delayMs: 0, events: 1, tokens: 0 }
    }
  }
}

/** A plain body has no events: "after N events" means halfway through it. */
function endingForBody(ending: EndingFault | undefined, bytes: number): EndingFault | undefined {
  if (ending === undefined || ending.afterBytes !== undefined) return ending
  const afterBytes = (ending.afterEvents ?? 0) > 0 ? Math.floor(bytes / 2) : 0
  return { ...ending, afterEvents: undefined, afterBytes }
}
