// The Upstash-compatible REST endpoint: who asks, what for, and the answer in Upstash's shape.
import { timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Backend } from '../backend.ts'
import { CommandError, isFailure } from '../engine/reply.ts'
import { afterOne, noFault, parseFault, suffer } from './faults.ts'
import type { Fault } from './faults.ts'
import { parseRequest, queryPairs } from './parse-request.ts'
import type { Plan } from './parse-request.ts'
import { readBody } from './read-body.ts'
import { renderError, renderReplies, renderReply } from './render.ts'
import type { Encoding } from './render.ts'

export interface BridgeOptions {
  readonly token: string
  readonly faults: boolean
  readonly mostBodyBytes: number
}

interface Answer {
  readonly status: number
  readonly body: string
}

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT'])

export class Bridge {
  readonly #backend: Backend
  readonly #options: BridgeOptions
  readonly #token: Buffer
  #fault: Fault = noFault
  #httpRequests = 0

  constructor(backend: Backend, options: BridgeOptions) {
    this.#backend = backend
    this.#options = options
    this.#token = Buffer.from(options.token)
  }

  setFault(fault: Fault): void {
    this.#fault = fault
  }

  stats() {
    const { commands, scriptCommands } = this.#backend.counts
    return { http_requests: this.#httpRequests, commands, script_commands: scriptCommands }
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const admin = this.#options.faults && (request.url ?? '').startsWith('/__test/')
    if (!admin) {
      this.#httpRequests++
      const fault = this.#fault
      this.#fault = afterOne(fault)
      if (!(await suffer(fault, response))) return
    }
    const answer = await this.#answer(request, admin)
    if (response.destroyed) return
    const token = request.headers['upstash-sync-token']
    const headers: Record<string, string> = { 'content-type': 'application/json' }
    if (typeof token === 'string' && token !== '') headers['upstash-sync-token'] = token
    // The rest of a refused body may be unread, so the connection is not used again.
    if (answer.status === 413) headers['connection'] = 'close'
    headers['content-length'] = String(Buffer.byteLength(answer.body))
    response.writeHead(answer.status, headers)
    response.end(request.method === 'HEAD' ? undefined : answer.body)
  }

  async #answer(request: IncomingMessage, admin: boolean): Promise<Answer> {
    if (!this.#authorized(request)) {
      return failed(401, 'WRONGPASS invalid or missing auth token')
    }
    const method = request.method ?? 'GET'
    if (!methods.has(method)) return failed(405, 'ERR method not allowed')
    const body = await readBody(request, this.#options.mostBodyBytes)
    if (body === null) {
      const limit = this.#options.mostBodyBytes
      return failed(413, `ERR max request size exceeded. Limit: ${limit} bytes`)
    }
    const target = request.url ?? '/'
    if (admin) return this.#administer(method, target, body)
    const encoding = request.headers['upstash-encoding'] === 'base64' ? 'base64' : 'text'
    return await this.#execute(parseRequest({ method, target, body }), encoding)
  }

  async #execute(plan: Plan, encoding: Encoding): Promise<Answer> {
    if (plan.kind === 'malformed') return failed(400, plan.reason)
    try {
      if (plan.kind === 'single') {
        const [reply = null] = await this.#backend.pipeline([plan.command])
        return { status: isFailure(reply) ? 400 : 200, body: renderReply(reply, encoding) }
      }
      const replies = await this.#backend[plan.kind](plan.commands)
      if ('failure' in replies) return failed(400, replies.failure)
      return { status: 200, body: renderReplies(replies, encoding) }
    } catch (error) {
      if (error instanceof CommandError) return failed(400, error.message)
      return failed(500, `ERR ${error instanceof Error ? error.message : 'internal error'}`)
    }
  }

  #authorized(request: IncomingMessage): boolean {
    const header = request.headers.authorization
    const query = (request.url ?? '').split('?', 2)[1] ?? ''
    const given =
      header === undefined
        ? queryPairs(query).find(([name]) => name === '_token')?.[1]
        : /^bearer (.+)$/i.exec(header)?.[1]
    if (given === undefined) return false
    const bytes = Buffer.from(given, 'latin1')
    return bytes.length === this.#token.length && timingSafeEqual(bytes, this.#token)
  }

  #administer(method: string, target: string, body: Buffer): Answer {
    if (method === 'GET' && target === '/__test/stats') {
      return { status: 200, body: JSON.stringify(this.stats()) }
    }
    if (method === 'POST' && target === '/__test/fault') {
      const fault = parseFault(body.toString('utf8'))
      if (fault === null) return failed(400, 'ERR expected {"mode","delay_ms"?,"times"?}')
      this.#fault = fault
      return { status: 200, body: '{"result":"OK"}' }
    }
    return failed(404, 'ERR unknown test control')
  }
}

const failed = (status: number, text: string): Answer => ({ status, body: renderError(text) })
