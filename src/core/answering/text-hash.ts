// A hash for spreading, not for secrets: FNV-1a with a final mix (MurmurHash3's), 32 bits.

const START = 0x811c9dc5
const PRIME = 0x01000193

export function hashText(text: string): number {
  let hash = START
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), PRIME)
  return mix(hash)
}

/** Goes on from `from`, so that several spans make one hash. */
export function hashBytes(bytes: Uint8Array, from: number = START): number {
  let hash = from
  for (let at = 0; at < bytes.length; at += 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), PRIME)
  return hash
}

/** As a number in (0, 1). */
export const unitOf = (hash: number): number => (hash + 0.5) / 2 ** 32

export function mix(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
