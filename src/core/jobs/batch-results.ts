// What Claude says of a batch: whether it has ended, and line by line what became of each request. A Message stays as it
// was written.
import { fieldOf, fieldsIn, readString } from '../conversation/json-parts.ts'
import type { JobError } from './job.ts'

export interface BatchResult {
  /** `custom_id`. */
  readonly job: string
  readonly result:
    | { readonly kind: 'succeeded'; readonly message: string }
    | { readonly kind: 'errored'; readonly error: JobError }
    /** Canceled or expired there: it was not made. */
    | { readonly kind: 'not_made' }
}

/** Null where a line cannot be read: its job is called by itself. */
export function readBatchResult(line: string): BatchResult | null {
  if (!isJsonObject(line)) return null
  const fields = fieldsIn(line)
  const job = readString(fieldOf(fields, 'custom_id'))
  const result = fieldOf(fields, 'result')
  if (job === null || result?.startsWith('{') !== true) return null
  const said = fieldsIn(result)
  const message = fieldOf(said, 'message')
  switch (readString(fieldOf(said, 'type'))) {
    case 'succeeded':
      return message?.startsWith('{') === true
        ? { job, result: { kind: 'succeeded', message } }
        : null
    case 'errored':
      return { job, result: { kind: 'errored', error: readError(fieldOf(said, 'error')) } }
    default:
      return { job, result: { kind: 'not_made' } }
  }
}

/** `{"type":"error","error":{"type","message"}}`, or the inner one alone. */
function readError(text: string | undefined): JobError {
  const outer = fieldsIn(text?.startsWith('{') === true ? text : '{}')
  const inner = fieldOf(outer, 'error')
  const fields = inner?.startsWith('{') === true ? fieldsIn(inner) : outer
  return {
    type: readString(fieldOf(fields, 'type')) ?? 'api_error',
    message: readString(fieldOf(fields, 'message')) ?? 'The request failed in its batch',
  }
}

function isJsonObject(text: string): boolean {
  try {
    JSON.parse(text)
    return text.trimStart().startsWith('{')
  } catch {
    return false
  }
}
