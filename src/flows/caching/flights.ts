// The calls that are under way in this isolate for whoever asks the same, by the token of who makes them. A flight is
// listed before the store is asked, so that those who are told to follow it find it here, whoever hears first.
import type { AnswerFound } from '../../ports/answers.ts'
import type { Services } from '../../ports.ts'
import type { KeptAnswer } from '../../core/caching/kept-answer.ts'
import type { AskedAnswer } from './asked-answer.ts'
import { Flight } from './flight.ts'
import { leadFlight } from './lead-flight.ts'
import { listenToFlight } from './listen-flight.ts'
import { lostFlight, readFlight } from './read-flight.ts'

/** The store's word, and the flight that this request makes if it is told to. */
export interface Looked {
  /** Null: the store did not answer, so it may or may not have been told of this request. */
  readonly found: AnswerFound | null
  readonly flight: Flight
}

export interface FlightsOptions {
  /** An answer is complete and good for others. */
  onKeepable(asked: AskedAnswer, answer: KeptAnswer): void
  /** The store has it. */
  onKept(asked: AskedAnswer, answer: KeptAnswer): void
}

export interface Leading {
  readonly asked: AskedAnswer
  readonly flight: Flight
  /** Null: the store did not say; nothing is kept. */
  readonly generation: number | null
  readonly cacheStatus: string
}

export interface Following {
  readonly mayTryAgain: boolean
  readonly own: Readonly<Record<string, string>>
}

export class Flights {
  readonly #services: Services
  readonly #options: FlightsOptions
  readonly #byToken = new Map<string, Flight>()
  /** Those that are made here, for requests that the store cannot tell of them. */
  readonly #byHash = new Map<string, Flight>()

  constructor(services: Services, options: FlightsOptions) {
    this.#services = services
    this.#options = options
  }

  /** `isShared`: others may wait for the call that this request makes. */
  async look(
    asked: AskedAnswer,
    near: KeptAnswer | null,
    isShared = asked.ask.reads && !asked.ask.onlyIfCached,
  ): Promise<Looked> {
    const { ask, hash, marks } = asked
    const flight = this.#open(isShared)
    try {
      const found = await this.#services.answers.look({
        hash,
        now: this.#services.now(),
        marks,
        near,
        waits: asked.call.scope.waits,
        token: isShared ? flight.token : null,
        accepts: ask.reads
          ? {
              maxAgeMs: ask.maxAgeSeconds * 1000,
              minFreshMs: ask.minFreshSeconds * 1000,
              staleMs: Math.max(ask.maxStaleSeconds, ask.staleIfErrorSeconds) * 1000,
            }
          : null,
      })
      if (found.kind !== 'lead') this.#close(flight)
      return { found, flight }
    } catch {
      return { found: null, flight }
    }
  }

  #open(isShared: boolean): Flight {
    const token = crypto.randomUUID()
    const flight = new Flight(token, this.#services.now(), isShared)
    if (isShared) this.#byToken.set(token, flight)
    return flight
  }

  #close(flight: Flight): void {
    this.#byToken.delete(flight.token)
    flight.finish({ kind: 'lost' })
  }

  /** The call is not made after all. */
  letGo({ call, hash }: AskedAnswer, { found, flight }: Looked): void {
    this.#close(flight)
    if ((found !== null && found.kind !== 'lead') || !flight.isShared) return
    const name = { hash, token: flight.token }
    call.scope.defer(this.#services.answers.land(name, null, null).catch(() => false))
  }

  async lead(leading: Leading): Promise<Response> {
    const { asked, flight } = leading
    const { call } = asked
    const leave = flight.join()
    call.scope.defer(this.#make(leading))
    const reader = { call, flight, leave, isMaker: true, mayTryAgain: false, own: {} }
    const answer = await readFlight(this.#services, reader)
    if (answer === null) throw lostFlight({ 'cache-status': leading.cacheStatus })
    return answer
  }

  /** Follows the call that this isolate makes for the same already, or makes it. Null: to be asked again. */
  async alone(
    { asked, flight, cacheStatus }: Omit<Leading, 'generation'>,
    following: Following,
  ): Promise<Response | null> {
    const { call, hash } = asked
    const known = this.#byHash.get(hash)
    if (known === undefined || known.isOver(this.#services.now())) {
      // Under the name that the store may know: who was told to follow it finds it.
      return this.lead({ asked, flight, generation: null, cacheStatus })
    }
    this.letGo(asked, { found: null, flight })
    const reader = { call, flight: known, leave: known.join(), isMaker: false, ...following }
    return readFlight(this.#services, reader)
  }

  async #make({ asked, flight, generation, cacheStatus }: Leading): Promise<void> {
    this.#byHash.set(asked.hash, flight)
    await leadFlight(this.#services, {
      asked,
      flight,
      generation,
      cacheStatus,
      onKeepable: (answer) => this.#options.onKeepable(asked, answer),
      onKept: (answer) => this.#options.onKept(asked, answer),
    })
    this.#byToken.delete(flight.token)
    if (this.#byHash.get(asked.hash) === flight) this.#byHash.delete(asked.hash)
  }

  /** Null: to be asked again. */
  async follow(asked: AskedAnswer, token: string, following: Following): Promise<Response | null> {
    const { call } = asked
    const { flight, leave } = this.#joined(asked, token)
    return readFlight(this.#services, { call, flight, leave, isMaker: false, ...following })
  }

  #joined({ call, hash }: AskedAnswer, token: string) {
    const known = this.#byToken.get(token)
    if (known !== undefined) return { flight: known, leave: known.join() }
    const flight = new Flight(token, this.#services.now(), true)
    const leave = flight.join()
    this.#byToken.set(token, flight)
    const listening = listenToFlight(this.#services, hash, flight)
    call.scope.defer(listening.then(() => this.#byToken.delete(token)))
    return { flight, leave }
  }

  /** `told`: the store has said already who makes the call. True: this isolate did, and it is over. */
  async refresh(asked: AskedAnswer, told: Looked | null): Promise<boolean> {
    const fresh = { ...asked, ask: { ...asked.ask, reads: false } }
    const looked = told ?? (await this.look(fresh, null, true))
    const { flight, found } = looked
    if (found?.kind !== 'lead') {
      if (found === null) this.letGo(asked, looked)
      return false
    }
    const leave = flight.join()
    await this.#make({ asked, flight, generation: found.generation, cacheStatus: '' })
    leave()
    return true
  }
}
