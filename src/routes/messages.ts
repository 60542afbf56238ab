// The three routes that carry a Claude request in their body: read, checked narrowly, answered.
import { type Context, Hono } from 'hono'
import type { AppEnv } from '../app.ts'
import { answerCall } from '../flows/answer-call.ts'
import type { AnswerCache } from '../flows/caching/answer-cache.ts'
import { answerOrTake } from '../flows/jobs/take-as-job.ts'
import type { CallReader } from '../flows/read-call.ts'
import type { CallKind } from '../flows/call.ts'
import type { TurnTaker } from '../flows/take-turn.ts'
import type { Services } from '../ports.ts'

export interface MessageFlows {
  readonly readCall: CallReader
  readonly takeTurn: TurnTaker
  readonly cache: AnswerCache
}

export const messages = (services: Services, { readCall, takeTurn, cache }: MessageFlows) => {
  const answer = (kind: CallKind) => async (c: Context<AppEnv>) =>
    answerCall(services, await readCall(kind, c.req.raw, c.get('scope')))
  const answerMessage = async (c: Context<AppEnv>) => {
    const request = c.req.raw
    const call = await readCall('messages', request, c.get('scope'))
    return cache.answer(call, request.headers, (own) => answerOrTake(services, request, own))
  }
  return new Hono<AppEnv>()
    .post('/messages', (c) =>
      c.req.header('sluice-session') === undefined
        ? answerMessage(c)
        : takeTurn('messages', c.req.raw, c.get('scope')),
    )
    .post('/messages/count_tokens', answer('count_tokens'))
    .post('/chat/completions', answer('chat_completions'))
}
