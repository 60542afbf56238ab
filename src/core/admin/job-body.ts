// Which dead letters an operator means: some by their ids, or all of a tenant or a lane, as many as that.
import type { Lane } from '../admission/admission.ts'
import { list, matching, object, oneOf, text, truth, wholeNumber } from './fields.ts'

/** So that one request's work is bounded; asked again it does the next. */
export const MOST_LETTERS = 1_000

export const lettersBody = object({
  ids: list(matching(/^job_[\da-f]{24}$/, 'the id of a job'), { min: 1, max: MOST_LETTERS }),
  tenant: text({ min: 1, max: 200 }),
  lane: oneOf<Lane>(['high', 'normal', 'low']),
  all: truth,
  limit: wholeNumber({ min: 1, max: MOST_LETTERS }),
})
