// How many retries an account's calls have earned: a served call adds the ratio, a retry takes one. Under a total
// outage nothing is earned, so retries end with what was saved up (the token bucket of Finagle's RetryBudget and of
// gRPC's retry throttling). A retry to another account takes from that account's budget.

import type { AdmissionAsk } from './admission.ts'

// No more is saved up than so many served calls earn: a blip of a busy account can be mended, while an outage costs
// at most 20 extra calls an account at the default ratio.
const SAVED_CALLS = 100
// A gate without a past has earned half of it: its first calls may be retried, though none was served yet.
const OPENING_SHARE = 0.5
// Ten tenths add up to a little less than one.
const ROUNDING = 1e-9

export const retryCap = (ratio: number): number => SAVED_CALLS * ratio

export const openingBalance = (ratio: number): number => retryCap(ratio) * OPENING_SHARE

export const earnRetry = (balance: number, ratio: number): number =>
  Math.min(retryCap(ratio), balance + ratio)

/** A part of a retry is none yet. */
export const maySpendRetry = (balance: number): boolean => balance + ROUNDING >= 1

export const spendRetry = (balance: number): number => Math.max(0, balance - 1)

/** It was taken for a call that was then never made. */
export const refundRetry = (balance: number, ratio: number): number =>
  Math.min(retryCap(ratio), balance + 1)

export const isRetry = ({ attempt = 1 }: AdmissionAsk): boolean => attempt > 1
