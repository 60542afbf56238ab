// One clock for all processes of this machine: CLOCK_MONOTONIC in whole microseconds, which fit a plain number.

export function nowUs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1_000_000 + Math.floor(nanoseconds / 1_000)
}

/** A time within a stream's text: `@` and 15 digits, found again without parsing the event around it. */
export const STAMP_MARK = 0x40
export const STAMP_DIGITS = 15

export const stampOf = (us: number): string => String(us).padStart(STAMP_DIGITS, '0')

/** The time whose digits begin at `at`. */
export function readStamp(bytes: Buffer, at: number): number {
  let us = 0
  for (let digit = 0; digit < STAMP_DIGITS; digit += 1) us = us * 10 + (bytes[at + digit] ?? 0) - 48
  return us
}
