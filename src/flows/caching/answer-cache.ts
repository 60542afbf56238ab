// The response cache of one isolate: a request that asks is answered from what is kept, joins a call that is under way for
// the same, or makes the call for all who ask meanwhile. The store is asked once, together with the request's limits.
import { CACHE_STATUS, type CacheStatus } from '../../core/caching/cache-status.ts'
import { refreshesEarly } from '../../core/caching/early-refresh.ts'
import { fitnessOf, type KeptAnswer } from '../../core/caching/kept-answer.ts'
import { GatewayError } from '../../core/errors.ts'
import type { Services } from '../../ports.ts'
import type { AnswerFound } from '../../ports/answers.ts'
import { answerCall } from '../answer-call.ts'
import type { Call } from '../call.ts'
import { limitHeaders } from '../limit-headers.ts'
import { limitError } from '../refuse-limit.ts'
import { type AskedAnswer, askedAnswer, readAsk } from './asked-answer.ts'
import { CacheCounter, type CountName } from './count-hits.ts'
import { Flights, type Looked } from './flights.ts'
import type { Flight } from './flight.ts'
import { isPassing, failureOfError } from './flight-failure.ts'
import { NearAnswers } from './near-answers.ts'
import { mayRefreshLater, refreshCall } from './refresh-call.ts'
import { renderKept, renderMessage } from './render-kept.ts'

/** Whoever has met so many calls that were lost makes its own. */
const MOST_ROUNDS = 3

type Otherwise = (call: Call) => Promise<Response>

export class AnswerCache {
  readonly near: NearAnswers
  readonly #services: Services
  readonly #counter: CacheCounter
  readonly #flights: Flights

  constructor(services: Services) {
    this.#services = services
    this.#counter = new CacheCounter(services)
    this.near = new NearAnswers(services, this.#counter)
    this.#flights = new Flights(services, {
      onKeepable: ({ call, hash }, answer) => this.near.remember(call, hash, answer),
      onKept: ({ call, hash }, answer) => {
        this.#counter.count(call, 'kept')
        this.#counter.count(call, 'kept_bytes', answer.body.byteLength)
        this.near.share(call, hash, answer)
      },
    })
  }

  /** `otherwise`: what becomes of a request that does not ask. */
  async answer(call: Call, headers: Headers, otherwise: Otherwise): Promise<Response> {
    const ask = readAsk(this.#services, call, headers)
    if (ask === null) return otherwise(call)
    const asked = await askedAnswer(call, ask)
    const near = await this.near.find(asked)
    const startedAt = this.#services.now()
    const [limits, looked] = await Promise.all([
      this.#services.limits.take(call.caller, call.scope.waits, { together: true }),
      this.#flights.look(asked, near?.answer ?? null),
    ])
    call.scope.timing.storeMs = this.#services.now() - startedAt
    if (limits.kind === 'refused') {
      this.#flights.letGo(asked, looked)
      throw limitError(limits, this.#services.now())
    }
    const limited = { ...asked, call: { ...call, limits } }
    if (near !== null && looked.found?.kind === 'near') {
      return this.#hit(limited, near.answer, near.layer)
    }
    return this.#answerFound(limited, looked, 0)
  }

  /** What the store said, and what follows from it. */
  async #answerFound(asked: AskedAnswer, looked: Looked, round: number): Promise<Response> {
    const { call, ask, hash } = asked
    const { found } = looked
    if (found === null) return this.#answerAlone(asked, looked, round)
    if (found.kind === 'near') throw new Error('The store found good what was not at hand')
    if (found.kind === 'kept') {
      this.near.remember(call, hash, found.answer)
      this.near.share(call, hash, found.answer)
      return this.#hit(asked, found.answer, 'hits_redis')
    }
    if (ask.onlyIfCached) throw this.#notCached(asked)
    const answer = await this.#orStale(asked, looked, () =>
      found.kind === 'lead'
        ? this.#lead(asked, looked.flight, found)
        : this.#follow(asked, found.token, round),
    )
    if (answer !== null) return answer
    // What was waited for has failed or was lost, or is kept by now.
    const next = await this.#flights.look(asked, null, round + 1 < MOST_ROUNDS)
    return this.#answerFound(asked, next, round + 1)
  }

  /** Without the store's word: identical calls of this isolate still find each other, and nothing is kept. */
  async #answerAlone(asked: AskedAnswer, looked: Looked, round: number): Promise<Response> {
    const { call, ask } = asked
    this.#counter.count(call, 'bypasses')
    if (ask.onlyIfCached) throw this.#notCached(asked)
    const { bypass, bypassCollapsed } = CACHE_STATUS
    if (!ask.reads || round >= MOST_ROUNDS) {
      this.#flights.letGo(asked, looked)
      return answerCall(this.#services, call)
    }
    const own = this.#headersOf(asked, bypassCollapsed)
    const made = this.near.completedSince(asked, call.scope.startedAt)
    if (made !== null) {
      this.#flights.letGo(asked, looked)
      return renderMessage(call, made.body, own)
    }
    const answer = await this.#flights.alone(
      { asked, flight: looked.flight, cacheStatus: bypass },
      { mayTryAgain: round === 0, own },
    )
    return answer ?? this.#answerFound(asked, await this.#flights.look(asked, null), round + 1)
  }

  #notCached(asked: AskedAnswer): GatewayError {
    const headers = this.#headersOf(asked, CACHE_STATUS.onlyIfCached)
    const message = 'cache-control: only-if-cached, and nothing is cached'
    return new GatewayError('not_cached', message, { headers })
  }

  /** What is kept past its time, at once where the caller takes it so, or where Claude cannot answer. */
  async #orStale(
    asked: AskedAnswer,
    looked: Looked,
    answer: () => Promise<Response | null>,
  ): Promise<Response | null> {
    const { found } = looked
    const stale = found !== null && 'stale' in found ? found.stale : null
    if (stale === null) return answer()
    const isWelcome = fitnessOf(stale, asked.ask, this.#services.now()) === 'stale'
    if (isWelcome && mayRefreshLater(stale)) {
      if (found?.kind === 'lead') this.#refresh(asked, looked)
      return this.#staleHit(asked, stale)
    }
    try {
      const made = await answer()
      if (made === null || (made.status < 500 && made.status !== 429)) return made
      await made.body?.cancel()
    } catch (error) {
      if (!isPassing(failureOfError(error))) throw error
    }
    return this.#staleHit(asked, stale)
  }

  async #lead(
    asked: AskedAnswer,
    flight: Flight,
    { generation, stale }: Extract<AnswerFound, { kind: 'lead' }>,
  ): Promise<Response> {
    this.#counter.count(asked.call, 'misses')
    const { miss, stale: late, request } = CACHE_STATUS
    const cacheStatus = !asked.ask.reads ? request : stale === null ? miss : late
    return this.#flights.lead({ asked, flight, generation, cacheStatus })
  }

  async #follow(asked: AskedAnswer, token: string, round: number): Promise<Response | null> {
    const answer = await this.#flights.follow(asked, token, {
      mayTryAgain: round === 0,
      own: this.#headersOf(asked, CACHE_STATUS.collapsed),
    })
    if (answer !== null) this.#counter.count(asked.call, 'collapsed')
    return answer
  }

  #hit(asked: AskedAnswer, answer: KeptAnswer, layer: CountName): Response {
    const { now, random } = this.#services
    this.#counter.count(asked.call, layer)
    if (refreshesEarly(answer, now(), random())) this.#refresh(asked, null)
    return this.#render(asked, answer, false)
  }

  #staleHit(asked: AskedAnswer, answer: KeptAnswer): Response {
    this.#counter.count(asked.call, 'hits_stale')
    return this.#render(asked, answer, true)
  }

  #render(asked: AskedAnswer, answer: KeptAnswer, isStale: boolean): Response {
    const { call } = asked
    this.#counter.saved(call, answer)
    const status = isStale ? CACHE_STATUS.staleHit : CACHE_STATUS.hit
    const headers = this.#headersOf(asked, status)
    return renderKept(call, answer, { now: this.#services.now(), headers })
  }

  /** In the background, once for all isolates, with the patience of the low lane. */
  #refresh(asked: AskedAnswer, looked: Looked | null): void {
    const { call } = asked
    const refreshing = { ...asked, call: refreshCall(this.#services, call) }
    call.scope.defer(
      this.#flights.refresh(refreshing, looked).then((isMade) => {
        if (isMade) this.#counter.count(call, 'refreshes')
      }),
    )
  }

  /** Of an answer that no call was made for. */
  #headersOf({ call, hash }: AskedAnswer, status: CacheStatus): Record<string, string> {
    const windows = call.limits?.windows ?? []
    return {
      'cache-status': status,
      'sluice-cache-key': hash,
      'sluice-attempts': '0',
      'sluice-queued-ms': '0',
      ...limitHeaders(windows, this.#services.now()),
    }
  }
}
