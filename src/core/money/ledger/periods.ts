// Days and months in UTC, numbered, and when the next one begins.

const DAY_MS = 86_400_000

export const dayOf = (at: number): number => Math.floor(at / DAY_MS)

export const nextDayAt = (now: number): number => (dayOf(now) + 1) * DAY_MS

export function monthOf(at: number): number {
  const date = new Date(at)
  return date.getUTCFullYear() * 12 + date.getUTCMonth()
}

export function nextMonthAt(now: number): number {
  const date = new Date(now)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1)
}
