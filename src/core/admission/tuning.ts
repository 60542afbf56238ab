// The numbers of the gate that are no settings, each with its reason. An operator's are in settings.ts.
import type { Lane } from './admission.ts'

// The limit: additive increase, multiplicative decrease.

/** A 429 leaves so much of the limit: two cuts halve it, and one is not a catastrophe. */
export const LIMIT_DECREASE = 0.7
/** One 429 for this many served calls at the edge: about 2.5 % while an account sits at its own cap. */
export const LIMIT_REST_SERVED = 40
/** A rest is at least this long, so that very short calls do not probe many times a second … */
export const LIMIT_REST_MIN_MS = 1_000
/** … and at most this long, so that a slow account is tried again before its caller's patience ends. */
export const LIMIT_REST_MAX_MS = 30_000
/** Rests a hair below the refused level, so that the first served call after the rest steps over it. */
export const LIMIT_RESTING_GAP = 0.001

// The breaker.

/** Jitter only lengthens: a gate is never tried earlier than its setting says, and never later than the cap. */
export const COOLDOWN_JITTER = 0.2

// The retry budget.

/**
 * No more is saved up than so many served calls earn: a blip of a busy account can be mended, while an outage costs
 * at most 20 extra calls an account at the default ratio.
 */
export const RETRY_SAVED_CALLS = 100
/** A gate without a past has earned half of it: its first calls may be retried, though none was served yet. */
export const RETRY_OPENING_SHARE = 0.5

// Waiting.

/** Lanes share a full account so; the low lane gets every seventh slot and never starves. */
export const LANE_WEIGHTS: Readonly<Record<Lane, number>> = { high: 4, normal: 2, low: 1 }
/** In tokens. A call costs its tenant at least this: it holds a slot however few its tokens. */
export const LEAST_COST_TOKENS = 100
/** The newest call's share of the mean time that a slot is held: about the last ten calls count. */
export const HOLD_MEAN_SHARE = 0.1
/** How long a slot is held, until the first call has told. */
export const HOLD_FIRST_MS = 1_000

// Reservations and leases.

/** A twin's clock may differ from ours by this much. */
export const CLOCK_SKEW_MS = 250
/** The promise is written again this often under load: often enough that a lease keeps nearly its whole time. */
export const GRACE_MAX_MS = 5_000
/** The grace's part of a lease's time, where that is less. */
export const GRACE_SHARE = 1 / 8
/** A quarter more is reserved than needed: a growing gate writes a few times, not once a call. */
export const RESERVE_AHEAD_SHARE = 0.25
/** A gate without leases takes its promise back after this, well before the platform would evict it. */
export const IDLE_RELEASE_MS = 2_000
/** With fewer free slots each end is told at once: the next call may want it. */
export const PLENTY_SLOTS = 8
/** Ended leases remembered at least: every call of a busy gate's last minutes; an id costs about 100 bytes. */
export const ENDED_REMEMBERED = 4_096

// Buckets.

/** Claude's buckets refill continuously, from empty to full in a minute. */
export const BUCKET_REFILL_MS = 60_000
/** Claude rounds the tokens that are left; the middle of what a rounded reading can mean is taken. */
export const TOKENS_ROUNDED_TO = 1_000

// Bounds of what is filled from outside.

/** Model names come from callers: without a bound a gate would remember every one of them. */
export const CLASSES_MAX = 64
/** An organization has a handful of accounts here. */
export const PEERS_MAX = 64
/** An operator reads an afternoon's worth; the stored timeline is longer. */
export const TIMELINE_LENGTH = 100
export const ERRORS_LENGTH = 20
