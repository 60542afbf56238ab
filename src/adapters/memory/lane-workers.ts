// The queues of jobs' messages in one process: so many of each lane at work at a time, the others in line.
import type { Lane } from '../../core/admission/admission.ts'

/** As many as wrangler.toml allows of a lane: batch size times concurrency. */
const AT_ONCE: Readonly<Record<Lane, number>> = { high: 100, normal: 50, low: 20 }

export class LaneWorkers<Message> {
  readonly #run: (message: Message) => Promise<void>
  readonly #onFailed: (error: unknown) => void
  readonly #waiting: Record<Lane, Message[]> = { high: [], normal: [], low: [] }
  readonly #running: Record<Lane, Set<Promise<void>>> = {
    high: new Set(),
    normal: new Set(),
    low: new Set(),
  }
  #isStopped = false

  constructor(run: (message: Message) => Promise<void>, onFailed: (error: unknown) => void) {
    this.#run = run
    this.#onFailed = onFailed
  }

  add(lane: Lane, messages: readonly Message[]): void {
    this.#waiting[lane].push(...messages)
    // Never within the step that sends: its transaction has to be over.
    queueMicrotask(() => this.#fill(lane))
  }

  stop(): void {
    this.#isStopped = true
  }

  async settled(): Promise<void> {
    for (const lane of ['high', 'normal', 'low'] as const) await Promise.all(this.#running[lane])
  }

  #fill(lane: Lane): void {
    const running = this.#running[lane]
    while (!this.#isStopped && running.size < AT_ONCE[lane]) {
      const message = this.#waiting[lane].shift()
      if (message === undefined) return
      const work = this.#run(message)
        .catch((error: unknown) => this.#onFailed(error))
        .finally(() => {
          running.delete(work)
          this.#fill(lane)
        })
      running.add(work)
    }
  }
}
