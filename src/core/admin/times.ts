// Times as the admin API speaks them: RFC 3339. Inside, every time is epoch milliseconds.
import { field, type Reader } from './fields.ts'

const RFC_3339 =
  /^(\d{4})-(\d{2})-(\d{2})T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/

export function readTime(text: string): number | null {
  const [, year, month, day] = RFC_3339.exec(text) ?? []
  if (year === undefined || !isDay(Number(year), Number(month), Number(day))) return null
  const at = Date.parse(text)
  return Number.isNaN(at) ? null : at
}

export const time: Reader<number> = field('a time as 2026-01-31T12:00:00Z (RFC 3339)', (input) =>
  typeof input === 'string' ? (readTime(input) ?? undefined) : undefined,
)

export const showTime = (at: number): string => new Date(at).toISOString()

export const showTimeOrNull = (at: number | null): string | null =>
  at === null ? null : showTime(at)

/** The parser of the language takes the 31st of February for the 3rd of March. */
function isDay(year: number, month: number, day: number): boolean {
  const date = new Date(Date.UTC(year, month - 1, day))
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day
}
