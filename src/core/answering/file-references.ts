// Which of Claude's files a request's body names: `"file_id": "file_…"`, wherever it stands and however it is spelled.
import { scanObject } from './json-scan.ts'
import { isSpace, jsonText, QUOTE, skipString } from './json-tokens.ts'
import { decodeUtf8 } from './utf8.ts'

/** Far longer than any id, all of its characters as escapes. */
const MAX_ID_BYTES = 1_024
const COLON = 0x3a
const NOTHING: ReadonlySet<string> = new Set()
const NONE: readonly string[] = []

/** @param places where the keys end that are called `file_id` */
export function readFileIds(bytes: Uint8Array, places: readonly number[]): readonly string[] {
  if (places.length === 0) return NONE
  return [...new Set(places.flatMap((at) => readId(bytes, at) ?? []))]
}

/** Of a body that is not a message; null: it is not JSON that we can read. */
export function findFileIds(bytes: Uint8Array): readonly string[] | null {
  const scan = scanObject(bytes, NOTHING)
  if (scan.kind === 'broken') return null
  return scan.kind === 'other' ? NONE : readFileIds(bytes, scan.files)
}

/** The scan has seen that the text is whole. */
function readId(bytes: Uint8Array, keyEnd: number): string | null {
  let at = skipSpace(bytes, keyEnd)
  if (bytes[at] !== COLON) return null
  at = skipSpace(bytes, at + 1)
  if (bytes[at] !== QUOTE) return null
  const end = skipString(jsonText(bytes), at + 1, bytes.length)
  if (end - at > MAX_ID_BYTES) return null
  const id = String(JSON.parse(decodeUtf8(bytes, at, end)))
  return id.startsWith('file_') ? id : null
}

function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from
  while (isSpace(bytes[at])) at += 1
  return at
}
