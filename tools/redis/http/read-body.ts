// A request's body, whole, or null when it is larger than allowed. A body that is too large is still read for a
// while, and dropped: a client that is cut off while it sends never sees the answer.
import type { IncomingMessage } from 'node:http'

const patience = 8

export function readBody(request: IncomingMessage, mostBytes: number): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= mostBytes) chunks.push(chunk)
      else chunks = []
      if (size > mostBytes * patience) resolve(null)
    })
    request.on('end', () => resolve(size > mostBytes ? null : join(chunks)))
    request.on('error', reject)
    request.on('close', () => reject(new Error('The client went away')))
  })
}

const join = (chunks: readonly Buffer[]): Buffer =>
  chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)
