// Calls and failures of the last so many milliseconds, in ten slices: constant memory however busy the gate is.
// The oldest slice leaves whole, so the window is between nine and ten tenths of its setting.

const SLICES = 10

interface Slice {
  /** Which slice of time this is; -1: never used. */
  index: number
  calls: number
  failures: number
}

export type FailureWindow = Slice[]

export const newFailureWindow = (): FailureWindow =>
  Array.from({ length: SLICES }, () => ({ index: -1, calls: 0, failures: 0 }))

const indexAt = (now: number, windowMs: number): number => Math.floor((now * SLICES) / windowMs)

export function addResult(
  window: FailureWindow,
  failed: boolean,
  now: number,
  windowMs: number,
): void {
  const index = indexAt(now, windowMs)
  const slice = window[index % SLICES]
  if (slice === undefined) return
  if (slice.index !== index) {
    slice.index = index
    slice.calls = 0
    slice.failures = 0
  }
  slice.calls++
  if (failed) slice.failures++
}

export function readWindow(
  window: FailureWindow,
  now: number,
  windowMs: number,
): { readonly calls: number; readonly failures: number } {
  const oldest = indexAt(now, windowMs) - SLICES
  let calls = 0
  let failures = 0
  for (const slice of window) {
    if (slice.index <= oldest) continue
    calls += slice.calls
    failures += slice.failures
  }
  return { calls, failures }
}
