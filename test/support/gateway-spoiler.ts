// A proxy in front of a gateway that spoils one thing: what a check is for must be noticed by the check.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

export interface Asked {
  readonly method: string
  path: string
  headers: Record<string, string>
  body: string
}

export interface Answered {
  status: number
  headers: Headers
  /** Null: the body passes as it comes. Set: it is sent whole instead. */
  body: string | null
  /** The body as it would have come; reading it holds the answer back. */
  whole(): Promise<string>
}

export interface Defect {
  readonly ask?: (asked: Asked) => void
  readonly answer?: (answered: Answered, asked: Asked) => void | Promise<void>
}

const OF_THE_HOP = new Set(['host', 'connection', 'content-length', 'transfer-encoding'])

/** Gives `use` the address of a proxy in front of `url`, for as long as it runs. */
export async function spoiled<T>(
  url: string,
  defect: Defect,
  use: (proxyUrl: string) => Promise<T>,
): Promise<T> {
  const server = createServer((request, response) => {
    pass(url, defect, request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  try {
    return await use(`http://127.0.0.1:${port}`)
  } finally {
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  }
}

async function pass(
  url: string,
  defect: Defect,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const asked = await readAsked(request)
  defect.ask?.(asked)
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const upstream = await fetch(`${url}${asked.path}`, {
    method: asked.method,
    headers: asked.headers,
    ...(asked.body === '' ? {} : { body: asked.body }),
    redirect: 'manual',
    signal: gone.signal,
  })
  const answered: Answered = {
    status: upstream.status,
    headers: new Headers(upstream.headers),
    body: null,
    whole: () => upstream.text(),
  }
  await defect.answer?.(answered, asked)
  for (const name of OF_THE_HOP) answered.headers.delete(name)
  response.writeHead(answered.status, [...answered.headers].flat())
  if (answered.body !== null) response.end(answered.body)
  else if (upstream.body === null || upstream.bodyUsed) response.end()
  else await pipeline(Readable.fromWeb(upstream.body as never), response)
}

async function readAsked(request: IncomingMessage): Promise<Asked> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(request.headers)) {
    if (typeof value === 'string' && !OF_THE_HOP.has(name)) headers[name] = value
  }
  return {
    method: request.method ?? 'GET',
    path: request.url ?? '/',
    headers,
    body: Buffer.concat(chunks).toString(),
  }
}
