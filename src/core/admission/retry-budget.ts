// How many retries an account's calls have earned: a served call adds the ratio, a retry takes one. Under a total
// outage nothing is earned, so retries end with what was saved up (the token bucket of Finagle's RetryBudget and of
// gRPC's retry throttling). A retry to another account takes from that account's budget.

import type { AdmissionAsk } from './admission.ts'
import { RETRY_OPENING_SHARE, RETRY_SAVED_CALLS } from './tuning.ts'

// Ten tenths add up to a little less than one.
const ROUNDING = 1e-9

export const retryCap = (ratio: number): number => RETRY_SAVED_CALLS * ratio

export const openingBalance = (ratio: number): number => retryCap(ratio) * RETRY_OPENING_SHARE

export const earnRetry = (balance: number, ratio: number): number =>
  Math.min(retryCap(ratio), balance + ratio)

/** A part of a retry is none yet. */
export const maySpendRetry = (balance: number): boolean => balance + ROUNDING >= 1

export const spendRetry = (balance: number): number => Math.max(0, balance - 1)

/** It was taken for a call that was then never made. */
export const refundRetry = (balance: number, ratio: number): number =>
  Math.min(retryCap(ratio), balance + 1)

export const isRetry = ({ attempt = 1 }: AdmissionAsk): boolean => attempt > 1
