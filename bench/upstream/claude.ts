// A Claude that costs next to nothing: canned answers over plain sockets. It streams at a pace or in a burst, stamps
// each delta with its time, and notes when a connection is cut in the middle of a stream.
import { createServer, type Server, type Socket } from 'node:net'
import { nowUs } from '../clock.ts'
import { delta, jsonAnswer, streamHead, streamTail } from './canned.ts'
import { RequestReader } from './requests.ts'

/** What a request asks for, said in `metadata.user_id` of its body: every gateway passes that on. */
export const paced = (deltas: number): string => `paced-${deltas}`
export const burst = (deltas: number): string => `burst-${deltas}`
/** Begins, and then says nothing until it is cut. */
export const OPEN = 'open-0'

const DELTAS_PER_SECOND = 200
const GAP_US = 1_000_000 / DELTAS_PER_SECOND
const TICK_MS = 1

interface PacedStream {
  readonly socket: Socket
  left: number
  readonly deltas: number
  dueUs: number
}

export interface UpstreamCounts {
  readonly requests: number
  readonly connections: number
  readonly openStreams: number
  /** When streams were cut before their end, in the order in which it was noticed. */
  readonly cutsUs: readonly number[]
}

export class BenchClaude {
  readonly server: Server
  readonly #paced = new Set<PacedStream>()
  readonly #open = new Set<Socket>()
  readonly #json = jsonAnswer()
  readonly #head = streamHead()
  #cutsUs: number[] = []
  #requests = 0
  #connections = 0

  constructor() {
    this.server = createServer({ noDelay: true }, (socket) => this.#serve(socket))
    setInterval(() => this.#tick(), TICK_MS)
  }

  counts(): UpstreamCounts {
    const counts = {
      requests: this.#requests,
      connections: this.#connections,
      openStreams: this.#paced.size + this.#open.size,
      cutsUs: this.#cutsUs,
    }
    this.#requests = 0
    this.#cutsUs = []
    return counts
  }

  #serve(socket: Socket): void {
    this.#connections += 1
    const reader = new RequestReader((start) => this.#answer(socket, start))
    socket.on('data', (chunk: Buffer) => reader.push(chunk))
    socket.on('error', () => socket.destroy())
    socket.on('end', () => this.#cut(socket))
    socket.on('close', () => this.#cut(socket))
  }

  #cut(socket: Socket): void {
    let wasStreaming = this.#open.delete(socket)
    for (const stream of this.#paced) {
      if (stream.socket === socket) wasStreaming = this.#paced.delete(stream)
    }
    if (wasStreaming) this.#cutsUs.push(nowUs())
  }

  #answer(socket: Socket, start: Buffer): void {
    this.#requests += 1
    const asked = /"user_id":\s*"(\w+)-(\d+)"/.exec(start.toString('latin1', 0, 4_096))
    const deltas = Number(asked?.[2] ?? 0)
    switch (asked?.[1]) {
      case 'paced':
        socket.write(this.#head)
        this.#paced.add({
          socket,
          left: deltas,
          deltas,
          // Streams that begin together must not write together ever after.
          dueUs: nowUs() + Math.floor(Math.random() * GAP_US),
        })
        return
      case 'burst':
        socket.write(this.#burst(deltas))
        return
      case 'open':
        socket.write(this.#head)
        this.#open.add(socket)
        return
      default:
        socket.write(this.#json)
    }
  }

  #burst(deltas: number): Buffer {
    return Buffer.concat([
      this.#head,
      Buffer.from(delta(nowUs()).repeat(deltas)),
      streamTail(deltas),
    ])
  }

  #tick(): void {
    const tickUs = nowUs()
    for (const stream of this.#paced) {
      while (stream.left > 0 && stream.dueUs <= tickUs) {
        stream.socket.write(delta(nowUs()), 'latin1')
        stream.left -= 1
        stream.dueUs += GAP_US
      }
      if (stream.left > 0) continue
      this.#paced.delete(stream)
      stream.socket.write(streamTail(stream.deltas))
    }
  }
}
