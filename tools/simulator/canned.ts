// Bodies that a test has put here to be replayed byte for byte.
import { ApiError } from './api-error.ts'
import type { Piece } from './delivery.ts'
import type { CannedFault } from './faults.ts'

const EVENT_END = '\n\n'

export function cannedPieces(canned: ReadonlyMap<string, Buffer>, fault: CannedFault): Piece[] {
  const body = canned.get(fault.name)
  if (body === undefined) {
    throw new ApiError(400, `simulator: nothing is canned as "${fault.name}"`)
  }
  if (fault.by === 'all') return [{ data: body, delayMs: 0, events: 1, tokens: 0 }]
  return splitEvents(body).map((data, index) => ({
    data,
    delayMs: index === 0 ? 0 : fault.gapMs,
    events: 1,
    tokens: 0,
  }))
}

/** Slices that join to the body again, each ending with a blank line but perhaps the last. */
export function splitEvents(body: Buffer): Buffer[] {
  const events: Buffer[] = []
  let at = 0
  while (at < body.length) {
    const found = body.indexOf(EVENT_END, at)
    let end = found === -1 ? body.length : found + EVENT_END.length
    // Blank lines beyond the first belong to the event before them.
    while (end < body.length && body[end] === 0x0a) end++
    events.push(body.subarray(at, end))
    at = end
  }
  return events
}
