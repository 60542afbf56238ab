// Reads what a job is asked to do: Claude's request out of the body, byte for byte, and our few fields around it.
import { scanObject, type Span } from '../../core/answering/json-scan.ts'
import { type JobBody, readJobBody } from '../../core/jobs/job-body.ts'
import { GatewayError } from '../../core/errors.ts'
import { concat } from '../read-body.ts'

export interface AskedJob {
  readonly body: JobBody
  /** As it goes upstream. */
  readonly request: Uint8Array
}

const REQUEST: ReadonlySet<string> = new Set(['request'])
/** What is around the request. */
const MAX_REST_BYTES = 65_536
const OPEN_OBJECT = 0x7b
const EMPTY = new TextEncoder().encode('{}')

/** Throws what is wrong with it. */
export function readAskedJob(bytes: Uint8Array): AskedJob {
  const span = findRequest(bytes)
  const rest = without(bytes, span)
  if (rest.byteLength > MAX_REST_BYTES) {
    throw new GatewayError(
      'invalid_request',
      `The fields beside request: expected at most ${MAX_REST_BYTES} bytes`,
    )
  }
  const read = readJobBody(JSON.parse(new TextDecoder().decode(rest)))
  if (read.kind === 'bad') throw new GatewayError('invalid_request', read.problems.join('; '))
  return { body: read.body, request: bytes.slice(span.start, span.end) }
}

function findRequest(bytes: Uint8Array): Span {
  const scan = scanObject(bytes, REQUEST)
  if (scan.kind === 'broken') {
    const message = `The request body is not valid JSON: ${scan.what} (byte ${scan.at})`
    throw new GatewayError('invalid_json', message)
  }
  if (scan.kind === 'other') {
    throw new GatewayError('invalid_request', 'The request body should be a JSON object')
  }
  if (scan.duplicate !== null) {
    throw new GatewayError('invalid_request', 'request: Field given more than once')
  }
  const span = scan.fields.get('request')
  if (span === undefined) throw new GatewayError('invalid_request', 'request: Field required')
  if (bytes[span.start] !== OPEN_OBJECT) {
    throw new GatewayError('invalid_request', 'request: expected an object')
  }
  return span
}

/** So that a large request is not built as a tree only to be left alone. */
function without(bytes: Uint8Array, { start, end }: Span): Uint8Array {
  const size = bytes.byteLength - (end - start) + EMPTY.byteLength
  return concat([bytes.subarray(0, start), EMPTY, bytes.subarray(end)], size)
}
