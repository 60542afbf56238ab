// A small JSON body, read whole: for requests that are ours and not Claude's.
import { GatewayError } from '../core/errors.ts'
import { checkJsonHeaders, readBody } from './read-body.ts'

/** Throws what is wrong with it, in the words of the contract. */
export async function readJson(request: Request, maxBytes: number): Promise<unknown> {
  checkJsonHeaders(request.headers)
  const bytes = await readBody(request, maxBytes)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes))
  } catch (cause) {
    throw new GatewayError('invalid_json', 'body: expected JSON in UTF-8', { cause })
  }
}
