// One connection to a Redis server, shared by all requests: commands are pipelined, replies come in order. A lost
// connection fails what was under way and is opened again at the next command.
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { Command } from '../engine/engine.ts'
import type { Reply } from '../engine/reply.ts'
import { isFailure } from '../engine/reply.ts'
import { RespParser, encodeCommands } from './resp.ts'

const connectTimeoutMs = 5000

interface Waiting {
  readonly replies: Reply[]
  readonly count: number
  readonly resolve: (replies: Reply[]) => void
  readonly reject: (error: Error) => void
}

export class RedisConnection {
  readonly #host: string
  readonly #port: number
  readonly #greeting: readonly Command[]
  #opening: Promise<Socket> | null = null
  #waiting: Waiting[] = []
  #closed = false

  constructor(url: string) {
    const address = parseRedisUrl(url)
    this.#host = address.host
    this.#port = address.port
    this.#greeting = address.greeting
  }

  /** Sends the commands in one piece, with no other between them, and answers their replies in order. */
  async send(commands: readonly Command[]): Promise<Reply[]> {
    if (this.#closed) throw new Error('The connection to Redis is closed')
    this.#opening ??= this.#open()
    const socket = await this.#opening
    return await this.#write(socket, commands)
  }

  async close(): Promise<void> {
    this.#closed = true
    const socket = await this.#opening?.catch(() => null)
    socket?.destroy()
  }

  #write(socket: Socket, commands: readonly Command[]): Promise<Reply[]> {
    return new Promise((resolve, reject) => {
      if (socket.destroyed) {
        reject(new Error('The connection to Redis was lost'))
        return
      }
      this.#waiting.push({ replies: [], count: commands.length, resolve, reject })
      socket.write(encodeCommands(commands))
    })
  }

  async #open(): Promise<Socket> {
    const socket = connect({ host: this.#host, port: this.#port, noDelay: true })
    const parser = new RespParser()
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const reply of parser.push(chunk)) this.#settle(reply)
      } catch (error) {
        socket.destroy(error instanceof Error ? error : undefined)
      }
    })
    try {
      await connected(socket)
      socket.on('close', () => this.#lose())
      await this.#greet(socket)
      return socket
    } catch (error) {
      socket.destroy()
      this.#lose()
      throw error
    }
  }

  async #greet(socket: Socket): Promise<void> {
    if (this.#greeting.length === 0) return
    const replies = await this.#write(socket, this.#greeting)
    const refused = replies.find(isFailure)
    if (refused !== undefined) throw new Error(`Redis refused the connection: ${refused.failure}`)
  }

  #settle(reply: Reply): void {
    const first = this.#waiting[0]
    if (first === undefined) return
    first.replies.push(reply)
    if (first.replies.length < first.count) return
    this.#waiting.shift()
    first.resolve(first.replies)
  }

  #lose(): void {
    const lost = this.#waiting
    this.#waiting = []
    this.#opening = null
    for (const { reject } of lost) reject(new Error('The connection to Redis was lost'))
  }
}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.destroy(new Error('Redis did not answer in time'))
    }, connectTimeoutMs)
    socket.once('connect', () => {
      clearTimeout(timer)
      resolve()
    })
    // Stays for the life of the socket: an error without a listener would end the process.
    socket.on('error', (error) => {
      clearTimeout(timer)
      reject(new Error(`Cannot reach Redis: ${error.message}`))
    })
  })
}

export interface RedisAddress {
  readonly host: string
  readonly port: number
  readonly greeting: readonly Command[]
}

export function parseRedisUrl(text: string): RedisAddress {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || url.protocol !== 'redis:' || url.hostname === '') {
    throw new Error('A Redis address has the form redis://[user:password@]host:port[/db]')
  }
  const greeting: Command[] = []
  const password = decodeURIComponent(url.password)
  const user = decodeURIComponent(url.username)
  if (password !== '') greeting.push(user === '' ? ['AUTH', password] : ['AUTH', user, password])
  const database = url.pathname.replace(/^\//, '')
  if (database !== '' && database !== '0') greeting.push(['SELECT', database])
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return { host, port: Number(url.port === '' ? 6379 : url.port), greeting }
}
