// A call whose long prefix another call is just having Claude keep waits for that one's first byte, since each of them
// would pay for writing it: briefly, and never longer than it may wait at all.
import { type MarkedPrefix, markedPrefixes } from '../core/answering/marked-prefixes.ts'
import type { Services } from '../ports.ts'
import { untilAborted } from './ask-gate.ts'
import type { LeavingSignal } from './unwanted.ts'
import type { Call } from './call.ts'
import { markersOf } from './keep-prefix.ts'
import { type Awaited, type PrefixClaim, prefixWritesOf } from './prefix-writes.ts'

export interface AwaitedPrefix {
  readonly claim: PrefixClaim
  readonly waitedMs: number
}

interface Waiting {
  /** The account that is asked first. */
  readonly account: string
  readonly maxWaitMs: number
  readonly signal: LeavingSignal
}

/** Null: it writes nothing that others could read. Where nothing is waited for the claim stands at once. */
export async function awaitPrefix(
  services: Services,
  call: Call,
  { account, maxWaitMs, signal }: Waiting,
): Promise<AwaitedPrefix | null> {
  const prefixes = prefixesOf(call)
  if (prefixes.length === 0) return null
  const { now, config } = services
  const writes = prefixWritesOf(services)
  const ask = { account, model: call.model, prefixes }
  const startedAt = now()
  const until = startedAt + Math.min(config.prefixWaitMs, maxWaitMs)
  let last: Awaited | null = null
  for (let at = startedAt; at < until && !signal.aborted; at = now()) {
    const awaited = writes.awaited(ask, at)
    // Nobody is waited for twice.
    if (awaited === null || awaited === last) break
    last = awaited
    await within(Math.min(until, awaited.until) - at, untilAborted(awaited.over, signal))
  }
  const endedAt = now()
  const waitedMs = endedAt - startedAt
  if (waitedMs > 0) call.scope.timing.queueMs = (call.scope.timing.queueMs ?? 0) + waitedMs
  return { claim: writes.claim(ask, endedAt, config.prefixWaitMs), waitedMs }
}

function prefixesOf(call: Call): readonly MarkedPrefix[] {
  if (call.kind !== 'messages' || call.usesThread) return []
  if (call.caller.autoPromptCache === 'off') return []
  const read = markersOf(call)
  return read === null ? [] : markedPrefixes(read)
}

async function within(ms: number, promise: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  try {
    await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
