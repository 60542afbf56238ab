// Redis's glob patterns: * ? [abc] [^a] [a-z] and \ as escape. One remembered star is enough to go back to,
// so a hostile pattern costs at most pattern length times text length.

export function matchesGlob(pattern: string, text: string): boolean {
  let at = 0
  let seen = 0
  let starAt = -1
  let starSeen = 0
  while (seen < text.length) {
    if (pattern[at] === '*') {
      starAt = at++
      starSeen = seen
      continue
    }
    const next = at < pattern.length ? matchOne(pattern, at, text[seen] ?? '') : -1
    if (next >= 0) {
      at = next
      seen++
    } else if (starAt >= 0) {
      at = starAt + 1
      seen = ++starSeen
    } else return false
  }
  while (pattern[at] === '*') at++
  return at >= pattern.length
}

/** The place in the pattern after the element at `at` if that element accepts the character, else -1. */
function matchOne(pattern: string, at: number, character: string): number {
  const element = pattern[at]
  if (element === '?') return at + 1
  if (element === '[') return matchClass(pattern, at + 1, character)
  if (element === '\\' && at + 1 < pattern.length) {
    return pattern[at + 1] === character ? at + 2 : -1
  }
  return element === character ? at + 1 : -1
}

function matchClass(pattern: string, start: number, character: string): number {
  const negated = pattern[start] === '^'
  let at = negated ? start + 1 : start
  let found = false
  while (at < pattern.length && pattern[at] !== ']') {
    if (pattern[at] === '\\' && at + 1 < pattern.length) at++
    const low = pattern[at] ?? ''
    if (pattern[at + 1] === '-' && at + 2 < pattern.length) {
      const high = pattern[at + 2] ?? ''
      if (inRange(character, low, high)) found = true
      at += 3
    } else {
      if (low === character) found = true
      at++
    }
  }
  const after = at < pattern.length ? at + 1 : at
  return found === negated ? -1 : after
}

const inRange = (character: string, low: string, high: string): boolean =>
  low <= high ? character >= low && character <= high : character >= high && character <= low
