// What this isolate remembers of a store: bounded in size and in time, and read once however many ask at the
// same moment. What is not there is remembered too, apart, so that guesses do not push out what is used.

/** Keeps work alive after the answer. */
export type Defer = (work: Promise<unknown>) => void

export interface ReadThroughOptions<T> {
  read(name: string): Promise<T>
  /** What the store says where it has nothing. */
  isAbsent(value: T): boolean
  now: () => number
  readonly cacheMs: number
  readonly maxEntries: number
  /** The longest wait for one read. */
  readonly readTimeoutMs: number
}

export interface ReadThrough<T> {
  /** Throws when the store does not answer and nothing is remembered. */
  find(name: string, defer?: Defer): Promise<T>
  /** What is remembered and still trusted. */
  peek(name: string): T | undefined
  /** Remembers what was learned elsewhere, as if it were read now. */
  keep(name: string, value: T): void
}

interface Entry<T> {
  readonly value: T
  /** When the read began: a change after that is seen at the next one. */
  readonly readAt: number
}

/** An entry in use is read again before its time is over, so that no request waits for it. */
const REFRESH_SHARE = 0.8
const LATE = Symbol('late')

export function createReadThrough<T>(options: ReadThroughOptions<T>): ReadThrough<T> {
  const present = new Map<string, Entry<T>>()
  const absent = new Map<string, Entry<T>>()
  const reads = new Map<string, Promise<T>>()

  const ageOf = (entry: Entry<T>) => options.now() - entry.readAt

  const findFresh = (name: string): Entry<T> | undefined => {
    const entry = present.get(name) ?? absent.get(name)
    // A clock that was set back must not make an entry live longer.
    return entry !== undefined && ageOf(entry) >= 0 && ageOf(entry) < options.cacheMs
      ? entry
      : undefined
  }

  const remember = (name: string, entry: Entry<T>) => {
    const older = present.get(name) ?? absent.get(name)
    if (older !== undefined && older.readAt > entry.readAt) return
    present.delete(name)
    absent.delete(name)
    if (options.cacheMs === 0) return
    const kept = options.isAbsent(entry.value) ? absent : present
    kept.set(name, entry)
    // All live equally long, so the oldest is the next that would be read again anyway.
    for (const oldest of kept.keys()) {
      if (kept.size <= options.maxEntries) break
      kept.delete(oldest)
    }
  }

  const startRead = (name: string): Promise<T> => {
    const readAt = options.now()
    const reading = options.read(name).then((value) => {
      remember(name, { value, readAt })
      return value
    })
    reads.set(name, reading)
    const forget = () => {
      if (reads.get(name) === reading) reads.delete(name)
    }
    reading.then(forget, forget)
    return reading
  }

  /** A read that is late is given up, so that the next caller begins a new one. */
  const waitFor = async (name: string, reading: Promise<T>): Promise<T | typeof LATE> => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<typeof LATE>((resolve) => {
      timer = setTimeout(() => resolve(LATE), options.readTimeoutMs)
    })
    const outcome = await Promise.race([reading, late]).finally(() => clearTimeout(timer))
    if (outcome === LATE && reads.get(name) === reading) reads.delete(name)
    return outcome
  }

  const readShared = async (name: string, defer: Defer | undefined): Promise<T> => {
    const others = reads.get(name)
    if (others !== undefined) {
      const outcome = await waitFor(name, others)
      if (outcome !== LATE) return outcome
      // The request that began it may be gone, and its read with it.
    }
    const own = reads.get(name) ?? startRead(name)
    defer?.(own.catch(() => {}))
    const outcome = await waitFor(name, own)
    if (outcome === LATE) throw new Error('The store did not answer in time')
    return outcome
  }

  return {
    peek: (name) => findFresh(name)?.value,
    keep: (name, value) => remember(name, { value, readAt: options.now() }),
    async find(name, defer) {
      const fresh = findFresh(name)
      if (fresh === undefined) return readShared(name, defer)
      const isAging = ageOf(fresh) >= options.cacheMs * REFRESH_SHARE
      if (isAging && defer !== undefined && !reads.has(name)) defer(startRead(name).catch(() => {}))
      return fresh.value
    },
  }
}
