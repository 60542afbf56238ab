// The prefixes that a request asks Claude to keep: up to each of its markers, and all of it where it has one for all.
// Two that agree in length, and in the first and last bytes of each part, are taken for the same: the worst that
// follows is a short wait.
import type { Span } from './json-scan.ts'
import { leastTokens, type ReadPrompt } from './prompt-marker.ts'
import { hashBytes, mix } from './text-hash.ts'

export interface MarkedPrefix {
  readonly id: string
  readonly bytes: number
}

const BYTES_PER_TOKEN = 4
const EDGE_BYTES = 1_024

/** Shortest first. Without those that are too short for the model to keep. */
export function markedPrefixes(read: ReadPrompt): readonly MarkedPrefix[] {
  const { model, markers, prompt } = read
  if (!markers.forAll && markers.at.length === 0) return []
  // As Claude reads them, in whatever order they stand in the body.
  const parts = [prompt.tools, prompt.system, prompt.messages].filter((span) => span !== null)
  const prefixes: MarkedPrefix[] = []
  let before: MarkedPrefix = { id: '', bytes: 0 }
  for (const part of parts) {
    for (const end of markers.at) {
      if (end <= part.start || end > part.end) continue
      prefixes.push(extend(read, before, { start: part.start, end }))
    }
    before = extend(read, before, part)
  }
  if (markers.forAll) prefixes.push(before)
  return prefixes.filter(({ bytes }) => isLong(bytes, model))
}

/** Whether so much more is worth waiting for: what is shorter is not kept by itself. */
export const isLong = (bytes: number, model: string): boolean =>
  bytes / BYTES_PER_TOKEN >= leastTokens(model)

function extend(
  { body, model }: ReadPrompt,
  before: MarkedPrefix,
  { start, end }: Span,
): MarkedPrefix {
  const head = hashBytes(body.subarray(start, Math.min(end, start + EDGE_BYTES)))
  const hash = hashBytes(body.subarray(Math.max(start, end - EDGE_BYTES), end), head)
  const bytes = before.bytes + end - start
  const id = before.id === '' ? model : before.id
  return { id: `${id} ${end - start}.${mix(hash).toString(36)}`, bytes }
}
