// An upstream that sends given pieces as HTTP chunks, all in one write: the gateway then reads them piece by piece,
// whatever the network joins. A call says in a header which it asks for.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface SplitUpstream {
  readonly url: string
  /** The value of `anthropic-split` that asks for these pieces. */
  ask(pieces: readonly Buffer[]): string
  close(): Promise<void>
}

export const SPLIT_HEADER = 'anthropic-split'

export async function startSplitUpstream(): Promise<SplitUpstream> {
  const streams = new Map<string, Buffer>()
  const server = createServer((request, response) => {
    const stream = streams.get(String(request.headers[SPLIT_HEADER]))
    request.resume()
    // Written past Node's own framing, which would take one write for each chunk.
    request.on('end', () => {
      if (stream === undefined) response.writeHead(404).end()
      else response.socket?.end(stream)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ask(pieces) {
      const name = String(streams.size)
      streams.set(name, responseOf(pieces))
      return name
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function responseOf(pieces: readonly Buffer[]): Buffer {
  const head =
    'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n' +
    'transfer-encoding: chunked\r\nconnection: close\r\n\r\n'
  const chunks = pieces.flatMap((piece) => [
    Buffer.from(`${piece.length.toString(16)}\r\n`),
    piece,
    Buffer.from('\r\n'),
  ])
  return Buffer.concat([Buffer.from(head), ...chunks, Buffer.from('0\r\n\r\n')])
}

export function piecesOf(bytes: Buffer, pieceBytes: number): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    pieces.push(bytes.subarray(at, at + pieceBytes))
  }
  return pieces
}
