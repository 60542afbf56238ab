// Asks Claude to keep a call's prefix where its caller left that to us, by one field at the body's end.
import { markAll, mayMarkAll } from '../core/answering/prompt-marker.ts'
import type { Call } from './call.ts'

/** The call itself where there is nothing to ask for. */
export function keepPrefix(call: Call): Call {
  const { body, markers } = call
  if (body === null || markers === null || !mayKeepPrefix(call)) return call
  return { ...call, body: markAll(body), markers: { ...markers, forAll: true } }
}

export function mayKeepPrefix(call: Call): boolean {
  const { body, markers, prompt, promptCache } = call
  // A thread's prefix is with the account that keeps it.
  if (!promptCache || call.usesThread) return false
  if (body === null || markers === null || prompt === null) return false
  return mayMarkAll({ ...call, body, markers, prompt })
}
