// Tokens used within the last minute, in slots of a second: used = Σ slots that are younger than 60 s. A slot counts
// until its last moment is a minute old, so a limit holds in every sliding minute and a wait is never told too short.

const SLOT_MS = 1_000
const WINDOW_MS = 60_000

export interface TokenWindow {
  /** Second since the epoch, tokens; oldest first. */
  slots: [second: number, tokens: number][]
  used: number
}

export const newTokenWindow = (): TokenWindow => ({ slots: [], used: 0 })

const slotOf = (at: number): number => Math.floor(at / SLOT_MS)

const leavesAt = (second: number): number => (second + 1) * SLOT_MS + WINDOW_MS

export function advanceWindow(window: TokenWindow, now: number): void {
  let gone = 0
  for (const [second, tokens] of window.slots) {
    if (leavesAt(second) > now) break
    window.used -= tokens
    gone += 1
  }
  if (gone > 0) window.slots.splice(0, gone)
}

/** A negative number gives tokens back; to a slot that has left the window nothing can be given. */
export function addTokens(window: TokenWindow, at: number, tokens: number, now: number): void {
  const second = slotOf(at)
  if (tokens === 0 || leavesAt(second) <= now) return
  window.used += tokens
  const { slots } = window
  let index = slots.length
  while (index > 0 && (slots[index - 1]?.[0] ?? 0) > second) index -= 1
  const before = slots[index - 1]
  if (before !== undefined && before[0] === second) before[1] += tokens
  else slots.splice(index, 0, [second, tokens])
}

/** The first moment at which no more than this is used, if nothing comes in. */
export function whenUsedIsAtMost(window: TokenWindow, tokens: number, now: number): number {
  let { used } = window
  if (used <= tokens) return now
  for (const [second, each] of window.slots) {
    used -= each
    if (used <= tokens) return leavesAt(second)
  }
  return now + WINDOW_MS
}

/** When what is used now would have left, too. */
export const wholeWindowFrom = (now: number): number => leavesAt(slotOf(now))
