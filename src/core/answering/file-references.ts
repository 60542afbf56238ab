// Which of Claude's files a request's body names: `"file_id": "file_…"`, wherever it stands. Found in the bytes, without a
// tree: a step for each underscore, of which prompts have few.

/** More than a request can mean; the rest is Claude's to judge. */
export const MOST_FILE_REFERENCES = 100

const UNDERSCORE = 0x5f
const QUOTE = 0x22
const COLON = 0x3a
const BEFORE = [QUOTE, 0x66, 0x69, 0x6c, 0x65] // "file
const AFTER = [0x69, 0x64, QUOTE] // id"
const VALUE = [QUOTE, 0x66, 0x69, 0x6c, 0x65, UNDERSCORE] // "file_
const MAX_ID = 140

export function findFileIds(body: Uint8Array): readonly string[] {
  const ids = new Set<string>()
  for (let at = body.indexOf(UNDERSCORE); at >= 0; at = body.indexOf(UNDERSCORE, at + 1)) {
    if (!standsAt(body, at - BEFORE.length, BEFORE) || !standsAt(body, at + 1, AFTER)) continue
    const colon = skipSpace(body, at + 1 + AFTER.length)
    if (body[colon] !== COLON) continue
    const start = skipSpace(body, colon + 1)
    if (!standsAt(body, start, VALUE)) continue
    const end = body.indexOf(QUOTE, start + 1)
    if (end < 0 || end - start > MAX_ID) continue
    // Ids are ASCII; anything else is no id of ours.
    ids.add(String.fromCharCode(...body.subarray(start + 1, end)))
    if (ids.size >= MOST_FILE_REFERENCES) break
  }
  return [...ids]
}

const standsAt = (body: Uint8Array, at: number, bytes: readonly number[]): boolean =>
  at >= 0 && bytes.every((byte, offset) => body[at + offset] === byte)

function skipSpace(body: Uint8Array, from: number): number {
  let at = from
  while (body[at] === 0x20 || body[at] === 0x0a || body[at] === 0x0d || body[at] === 0x09) at += 1
  return at
}
