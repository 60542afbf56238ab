// Where no Redis is configured there are no sessions: a request that names one is told so.
import type { SessionStore } from '../../ports/sessions.ts'

const missing = async (): Promise<never> => {
  throw new Error('UPSTASH_REDIS_REST_URL: not set, and sessions are kept there')
}

export const noSessions: SessionStore = {
  claim: missing,
  hold: missing,
  release: missing,
  keep: missing,
  read: missing,
  remove: missing,
  extend: missing,
  create: missing,
  list: missing,
}
