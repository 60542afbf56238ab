// The layers before the store: this isolate's memory, bounded by bytes, and the data centre's cache where there is one.
// What they hold is only ever used with the store's word that no invalidation concerns it.
import { ByteBoundedMap } from '../../core/caching/byte-bounded-map.ts'
import { fitnessOf, type KeptAnswer } from '../../core/caching/kept-answer.ts'
import type { Services } from '../../ports.ts'
import type { Call } from '../call.ts'
import type { AskedAnswer } from './asked-answer.ts'
import type { CacheCounter, CountName } from './count-hits.ts'

export interface NearAnswer {
  readonly answer: KeptAnswer
  readonly layer: CountName
}

/** What an entry takes beside its bytes. */
const OVERHEAD_BYTES = 1024

export class NearAnswers {
  readonly #services: Services
  readonly #counter: CacheCounter
  readonly #memory: ByteBoundedMap<KeptAnswer>

  constructor(services: Services, counter: CacheCounter) {
    this.#services = services
    this.#counter = counter
    this.#memory = new ByteBoundedMap(services.config.cache.memoryBytes)
  }

  get held(): { readonly bytes: number; readonly answers: number } {
    return { bytes: this.#memory.bytes, answers: this.#memory.size }
  }

  /** One that is fresh for this request. */
  async find({ call, hash, ask }: AskedAnswer): Promise<NearAnswer | null> {
    if (!ask.reads) return null
    const { colo, now } = this.#services
    const held = this.#memory.get(hash)
    if (held !== undefined && fitnessOf(held, ask, now()) === 'fresh') {
      return { answer: held, layer: 'hits_memory' }
    }
    const answer = (await colo?.find(hash)) ?? null
    if (answer === null || fitnessOf(answer, ask, now()) !== 'fresh') return null
    this.remember(call, hash, answer)
    return { answer, layer: 'hits_colo' }
  }

  /** One whose call was under way together with the request: then the two were identical and concurrent. */
  completedSince({ hash, ask }: AskedAnswer, since: number): KeptAnswer | null {
    const held = this.#memory.get(hash)
    const isFresh = held !== undefined && fitnessOf(held, ask, this.#services.now()) === 'fresh'
    return isFresh && held.storedAt >= since ? held : null
  }

  remember(call: Call, hash: string, answer: KeptAnswer): void {
    const before = this.#memory.evictions
    this.#memory.set(hash, answer, answer.body.byteLength + OVERHEAD_BYTES)
    const evicted = this.#memory.evictions - before
    if (evicted > 0) this.#counter.count(call, 'evictions', evicted)
  }

  share(call: Call, hash: string, answer: KeptAnswer): void {
    const { colo } = this.#services
    if (colo !== undefined) call.scope.defer(colo.keep(hash, answer))
  }
}
