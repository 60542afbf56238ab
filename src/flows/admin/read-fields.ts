// The body of an admin request: small, JSON, and only fields that are known.
import { type Reader, readFields } from '../../core/admin/fields.ts'
import { GatewayError } from '../../core/errors.ts'
import { readBody } from '../read-body.ts'

const MAX_BODY_BYTES = 64 * 1024

/** More than these help nobody. */
const MAX_PROBLEMS = 10

/** The bytes as text; empty where there is no body. */
export async function readAdminBody(request: Request, maxBytes = MAX_BODY_BYTES): Promise<string> {
  const type = request.headers.get('content-type')
  if (type !== null && !/^application\/json\s*(;[^,]*)?$/i.test(type)) {
    throw new GatewayError('invalid_request', 'content-type: expected application/json')
  }
  const encoding = request.headers.get('content-encoding')
  if (encoding !== null && encoding !== 'identity') {
    throw new GatewayError('invalid_request', 'content-encoding: expected none')
  }
  const bytes = await readBody(request, maxBytes)
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new GatewayError('invalid_json', 'The body is not UTF-8')
  }
}

/** Throws `invalid_request` with every problem. No body at all is an empty object. */
export function parseFields<T>(reader: Reader<T>, body: string): T {
  const read = readFields(reader, parseJson(body === '' ? '{}' : body))
  if (read.kind === 'read') return read.value
  const shown = read.problems.slice(0, MAX_PROBLEMS)
  const more = read.problems.length - shown.length
  throw new GatewayError(
    'invalid_request',
    [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join('; '),
  )
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    // The parser's own words would quote the body, and that may hold a secret.
    throw new GatewayError('invalid_json', 'The body is not JSON')
  }
}
