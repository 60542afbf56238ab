// Keeps a number of connections busy with one request, and counts what comes back. Closed loop: a connection sends
// again when its answer is whole.
import { type Answer, Connection } from './connection.ts'

export interface LoadOptions {
  readonly port: number
  readonly request: Buffer
  readonly connections: number
  /** Deltas that each answer must bring; 0 for JSON. */
  readonly deltas: number
  /** False: each connection sends once. */
  readonly repeats: boolean
  /** Lag is a matter of paced streams: in a burst it only tells how long the burst is. */
  readonly measuresLag: boolean
}

export interface Seen {
  answers: number
  deltas: number
  readonly latenciesUs: number[]
  readonly firstBytesUs: number[]
  readonly lagsUs: number[]
}

const nothing = (): Seen => ({
  answers: 0,
  deltas: 0,
  latenciesUs: [],
  firstBytesUs: [],
  lagsUs: [],
})

export class Load {
  seen: Seen = nothing()
  /** By status, or `cut`, or `short` for a stream that lost deltas. Over the whole life of the load. */
  readonly failures = new Map<string, number>()
  readonly #options: LoadOptions
  readonly #connections: Connection[] = []
  #isStopping = false
  #whenIdle: (() => void) | null = null

  constructor(options: LoadOptions) {
    this.#options = options
  }

  start(): void {
    const { port, request, connections, measuresLag } = this.#options
    for (let index = 0; index < connections; index += 1) {
      const connection: Connection = new Connection(port, {
        onAnswer: (answer) => this.#note(connection, answer),
        onDelta: (lagUs) => {
          this.seen.deltas += 1
          if (measuresLag) this.seen.lagsUs.push(lagUs)
        },
        onCut: () => {
          this.#fail('cut')
          this.#settle()
        },
      })
      this.#connections.push(connection)
      connection.send(request)
    }
  }

  /** What was seen so far; counting begins anew. */
  takeSeen(): Seen {
    const { seen } = this
    this.seen = nothing()
    return seen
  }

  /** Lets what is under way come to its end. */
  async stop(): Promise<void> {
    this.#isStopping = true
    if (this.#connections.some(({ isBusy }) => isBusy)) {
      const late = setTimeout(() => {
        this.#fail('stuck')
        this.#whenIdle?.()
      }, 10_000)
      await new Promise<void>((resolve) => (this.#whenIdle = resolve))
      clearTimeout(late)
    }
    for (const connection of this.#connections) connection.leave()
  }

  #note(connection: Connection, answer: Answer): void {
    const { deltas, request, repeats } = this.#options
    this.seen.answers += 1
    this.seen.latenciesUs.push(answer.endUs - answer.sentUs)
    this.seen.firstBytesUs.push(answer.firstByteUs - answer.sentUs)
    if (answer.status !== 200) this.#fail(String(answer.status))
    else if (answer.deltas !== deltas) this.#fail('short')
    if (repeats && !this.#isStopping) connection.send(request)
    else this.#settle()
  }

  #settle(): void {
    if (!this.#connections.some(({ isBusy }) => isBusy)) this.#whenIdle?.()
  }

  #fail(what: string): void {
    this.failures.set(what, (this.failures.get(what) ?? 0) + 1)
  }
}
