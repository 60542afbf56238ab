// Where no Redis is configured nothing is kept: every request goes by the cache, as when Redis is down.
import type { AnswerStore } from '../../ports/answers.ts'

const missing = async (): Promise<never> => {
  throw new Error('UPSTASH_REDIS_REST_URL: not set, and answers are kept there')
}

export const noAnswers: AnswerStore = {
  look: missing,
  tell: missing,
  listen: missing,
  land: missing,
  invalidate: missing,
  addCounts: missing,
  readCounts: missing,
}
