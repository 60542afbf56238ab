// Somebody who is told, on a socket of this machine: what came, and what is answered.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { SeenWebhook } from './webhook-receiver.ts'

export interface WebhookServer {
  readonly origin: string
  readonly seen: SeenWebhook[]
  /** Connections, whatever came over them. */
  readonly connections: () => number
  /** From now on; `tries` is how often this path was asked before. */
  answer(answering: (response: ServerResponse, tries: number, path: string) => void): void
  close(): Promise<void>
}

export async function startWebhookServer(): Promise<WebhookServer> {
  const seen: SeenWebhook[] = []
  const tries = new Map<string, number>()
  let connections = 0
  let answering: Parameters<WebhookServer['answer']>[0] = (response) =>
    void response.writeHead(204).end()
  const server = createServer((request, response) => {
    void readAll(request).then((body) => {
      const path = request.url ?? ''
      const before = tries.get(path) ?? 0
      tries.set(path, before + 1)
      const headers = Object.fromEntries(
        Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
      )
      seen.push({ url: path, id: headers['webhook-id'] ?? '', headers, body, at: Date.now() })
      answering(response, before, path)
    })
  })
  server.on('connection', () => (connections += 1))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    seen,
    connections: () => connections,
    answer: (next) => {
      answering = next
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}
