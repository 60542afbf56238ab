// What happened to a gate and why: each change of a door or of the limit, and the last errors. Both bounded.
import type { FailureCause } from './admission.ts'
import { ERRORS_LENGTH, TIMELINE_LENGTH } from './tuning.ts'

export interface TimelineEntry {
  readonly at: number
  readonly kind: 'breaker' | 'account' | 'limit' | 'organization'
  readonly modelClass: string | null
  readonly from: string
  readonly to: string
  readonly cause: string
}

/** As a timeline is read in pages: a later entry has a higher number. */
export interface NumberedEntry extends TimelineEntry {
  readonly seq: number
}

export interface GateError {
  readonly at: number
  readonly modelClass: string
  readonly cause: FailureCause | 'throttled' | 'spend_limited' | 'credential_refused'
}

export function pushBounded<T>(list: T[], entry: T, length: number): void {
  list.push(entry)
  if (list.length > length) list.splice(0, list.length - length)
}

export const pushTimeline = (timeline: TimelineEntry[], entry: TimelineEntry): void =>
  pushBounded(timeline, entry, TIMELINE_LENGTH)

export const pushError = (errors: GateError[], error: GateError): void =>
  pushBounded(errors, error, ERRORS_LENGTH)
