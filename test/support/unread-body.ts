// Sends a body that a server may refuse before it has read it: the answer is then there although our writes fail. Node's
// HTTP client gives such an answer up.
import { connect, type Socket } from 'node:net'
import type { RawAnswer, RawRequest } from './raw-http.ts'

const GIVE_UP_MS = 10_000
/** As much at once as Node's streams hand on. */
const WRITE_BYTES = 64 * 1024

/** The connection closed without a whole answer. */
const NONE = { status: 0, headers: {}, body: Buffer.alloc(0) }

export function sendUnread(origin: string, request: RawRequest): Promise<RawAnswer> {
  const { hostname, port } = new URL(origin)
  const startedAt = performance.now()
  return new Promise((resolve) => {
    let received = Buffer.alloc(0)
    const socket = connect(Number(port), hostname, () => writeAll(socket, origin, request))
    const settle = (): void => {
      clearTimeout(late)
      const answer = parseAnswer(received)
      resolve({ ...(answer ?? NONE), tookMs: performance.now() - startedAt })
      socket.destroy()
    }
    const late = setTimeout(settle, GIVE_UP_MS)
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (parseAnswer(received) !== null) settle()
    })
    socket.on('error', () => {})
    socket.on('close', settle)
  })
}

function writeAll(socket: Socket, origin: string, request: RawRequest): void {
  const { path, headers = [], body = '', chunkBytes } = request
  const bytes = Buffer.from(body)
  const framing =
    chunkBytes === undefined ? `content-length: ${bytes.length}` : 'transfer-encoding: chunked'
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.write(
    `POST ${path} HTTP/1.1\r\nhost: ${new URL(origin).host}\r\n${lines}${framing}\r\n\r\n`,
  )
  const step = chunkBytes ?? WRITE_BYTES
  let at = 0
  const more = (): void => {
    while (at < bytes.length) {
      if (socket.destroyed) return
      const piece = bytes.subarray(at, at + step)
      at += step
      if (chunkBytes !== undefined) socket.write(`${piece.length.toString(16)}\r\n`)
      const goesOn = socket.write(piece)
      if (chunkBytes !== undefined) socket.write('\r\n')
      if (!goesOn) return void socket.once('drain', more)
    }
    if (chunkBytes !== undefined) socket.write('0\r\n\r\n')
  }
  more()
}

/** An answer with a declared length, once it is whole. */
function parseAnswer(received: Buffer): Omit<RawAnswer, 'tookMs'> | null {
  const headEnd = received.indexOf('\r\n\r\n')
  if (headEnd < 0) return null
  const [statusLine = '', ...lines] = received.subarray(0, headEnd).toString('latin1').split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
  const length = Number(headers['content-length'] ?? 0)
  const body = received.subarray(headEnd + 4)
  if (body.length < length) return null
  return { status: Number(statusLine.split(' ')[1]), headers, body: body.subarray(0, length) }
}
