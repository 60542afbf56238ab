// Hears of a call that another isolate makes, for all who wait for it here: one question every moment, however many wait.
import type { Services } from '../../ports.ts'
import type { FlightPiece } from '../../ports/answers.ts'
import type { Flight } from './flight.ts'
import { parseFailure } from './flight-failure.ts'

const LISTEN_MS = 150
/** A store that cannot be asked so often in a row tells nothing more. */
const MOST_FAILURES = 5

/** Never rejects. Resolves when the flight has ended, or nobody here waits for it. */
export async function listenToFlight(
  { answers, now }: Services,
  hash: string,
  flight: Flight,
): Promise<void> {
  let from = 0
  let failures = 0
  while (flight.end === null && flight.readers > 0) {
    flight.aliveAt = now()
    try {
      const heard = await answers.listen({ hash, token: flight.token }, from)
      from += heard.pieces.length
      failures = 0
      for (const piece of heard.pieces) hear(flight, piece)
      if (!heard.isAlive && heard.pieces.length === 0) flight.finish({ kind: 'lost' })
      else if (heard.isAlive) await flight.changed(LISTEN_MS)
    } catch {
      failures += 1
      if (failures === MOST_FAILURES) flight.finish({ kind: 'lost' })
      await flight.changed(LISTEN_MS)
    }
  }
}

function hear(flight: Flight, piece: FlightPiece): void {
  switch (piece.kind) {
    case 'bytes':
      return flight.push(piece.bytes)
    case 'whole':
      return flight.finish({ kind: 'whole', body: piece.bytes })
    case 'end':
      return flight.finish({ kind: 'ended', message: null })
    case 'kept':
      return flight.finish({ kind: 'kept' })
    case 'failed':
      return flight.finish({ kind: 'failed', failure: parseFailure(piece.failure) })
  }
}
