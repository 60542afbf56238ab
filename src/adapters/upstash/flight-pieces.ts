// What is said of a call on its way through Redis, which carries text over REST.
import type { FlightPiece } from '../../ports/answers.ts'

const LETTERS = { bytes: 'b', whole: 'w', end: 'd', kept: 'k', failed: 'f' } as const

export function printPiece(piece: FlightPiece): string {
  const letter = LETTERS[piece.kind]
  if (piece.kind === 'failed') return letter + piece.failure
  return 'bytes' in piece ? letter + toBase64(piece.bytes) : letter
}

export function readPiece(text: string): FlightPiece {
  const rest = text.slice(1)
  switch (text[0]) {
    case LETTERS.bytes:
      return { kind: 'bytes', bytes: fromBase64(rest) }
    case LETTERS.whole:
      return { kind: 'whole', bytes: fromBase64(rest) }
    case LETTERS.end:
      return { kind: 'end' }
    case LETTERS.kept:
      return { kind: 'kept' }
    case LETTERS.failed:
      return { kind: 'failed', failure: rest }
    default:
      throw new Error('Redis answered what nobody said')
  }
}

/** In blocks: an argument list has to stay small. */
export function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (let at = 0; at < bytes.length; at += 8192) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 8192))
  }
  return btoa(binary)
}

const fromBase64 = (text: string): Uint8Array =>
  Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
