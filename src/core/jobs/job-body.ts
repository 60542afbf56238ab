// The fields of a job's request beside Claude's own, as their sender wrote them.
import {
  field,
  nullable,
  object,
  oneOf,
  type Reader,
  readFields,
  text,
  wholeNumber,
} from '../admin/fields.ts'
import type { Lane } from '../admission/admission.ts'
import type { JobMode } from './job.ts'

/** A week: Claude's own batches are kept no longer than a month, and a queue's message four days. */
export const MAX_DEADLINE_SECONDS = 604_800
const MAX_METADATA_CHARS = 16_384

export interface JobBody {
  readonly lane?: Lane | null
  readonly mode?: JobMode | null
  readonly deadline_seconds?: number | null
  readonly webhook?: { readonly url: string } | null
  readonly metadata?: unknown
}

const metadata: Reader<object> = field(
  `an object of at most ${MAX_METADATA_CHARS} characters as JSON`,
  (input) =>
    typeof input === 'object' &&
    input !== null &&
    !Array.isArray(input) &&
    JSON.stringify(input).length <= MAX_METADATA_CHARS
      ? input
      : undefined,
)

const jobBody = object({
  // Cut out before, and read by itself.
  request: field('an object', () => true),
  lane: nullable(oneOf<Lane>(['high', 'normal', 'low'])),
  mode: nullable(oneOf<JobMode>(['realtime', 'batch', 'auto'])),
  deadline_seconds: nullable(wholeNumber({ min: 1, max: MAX_DEADLINE_SECONDS })),
  webhook: nullable(object({ url: text({ min: 1, max: 2_048 }) }, ['url'])),
  metadata: nullable(metadata),
})

export type ReadJobBody =
  | { readonly kind: 'read'; readonly body: JobBody }
  | { readonly kind: 'bad'; readonly problems: readonly string[] }

export function readJobBody(input: unknown): ReadJobBody {
  const read = readFields(jobBody, input)
  return read.kind === 'read' ? { kind: 'read', body: read.value } : read
}
