// Sessions while things fail under them: a gateway that is killed in the middle of a turn, a store that is slow, wrong
// or gone at its beginning or at its end.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RedisBridge, startRedisBridge } from '../../../tools/redis/server.ts'
import { type RunningSimulator, startSimulator } from '../../../tools/simulator/server.ts'
import { claudeCall, errorOf } from '../../support/claude-call.ts'
import { eventually } from '../../support/eventually.ts'
import { type DevProcess, startDev } from '../../support/gateway-process.ts'
import { open, type RawAnswer, send } from '../../support/raw-http.ts'

const LEASE_TTL_MS = 1_500
const dir = mkdtempSync(join(tmpdir(), 'sluice-sessions-'))
let simulator: RunningSimulator
let redis: RedisBridge
let gateway: DevProcess

const start = (): Promise<DevProcess> =>
  startDev({
    dir,
    env: {
      ANTHROPIC_BASE_URL: simulator.url,
      UPSTASH_REDIS_REST_URL: redis.url,
      UPSTASH_REDIS_REST_TOKEN: redis.token,
      SLUICE_LEASE_TTL_MS: String(LEASE_TTL_MS),
      SLUICE_LEASE_RENEW_MS: '300',
    },
  })

beforeAll(async () => {
  simulator = await startSimulator()
  redis = await startRedisBridge({ faults: true })
  gateway = await start()
})
afterAll(async () => {
  await gateway.stop('SIGKILL')
  await simulator.close()
  await redis.close()
  rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
})

const chat = (message: string, session?: string, more: object = {}, tag = 'any') =>
  claudeCall({
    key: gateway.ready.keys.enterprise,
    path: '/v1/chat',
    tag,
    body: JSON.stringify({
      message,
      model: 'claude-haiku-5-5',
      ...(session === undefined ? {} : { session_id: session }),
      ...more,
    }),
  })
const say = (...asked: Parameters<typeof chat>): Promise<RawAnswer> =>
  send(gateway.ready.url, chat(...asked))
const begin = async (): Promise<string> => String((await say('begin')).headers['sluice-session'])
const SLOW = 'slow [sim:deltas=30] [sim:gap=10]'

async function turnsOf(session: string): Promise<number> {
  const answer = await send(gateway.ready.url, {
    method: 'GET',
    path: `/v1/sessions/${session}`,
    headers: [['x-api-key', gateway.ready.keys.enterprise]],
  })
  return (JSON.parse(answer.body.toString()) as { turns: number }).turns
}

/** Once the dead turn's claim is over. */
const goesOn = (session: string): Promise<RawAnswer> =>
  eventually(
    () => say('goes on', session),
    ({ status }) => status === 200,
    { withinMs: LEASE_TTL_MS + 3_000, everyMs: 100 },
  )

it('a gateway killed in the middle of a turn leaves the session as it was, and free again soon', async () => {
  const session = await begin()
  const cut = await open(gateway.ready.url, chat(SLOW, session, { stream: true }))
  await gateway.stop('SIGKILL')
  cut.socket.destroy()
  gateway = await start()
  expect(await turnsOf(session)).toBe(1)
  const next = await goesOn(session)
  expect(next.headers['sluice-turn']).toBe('2')
})

describe.each(['refuse', 'hang', 'error500', 'garbage'] as const)(
  'a store that does %s',
  (mode) => {
    it('at the beginning of a turn: 503, no call to Claude, and others go on', async () => {
      const session = await begin()
      redis.setFault({ mode })
      try {
        const answer = await say('nobody hears this', session, {}, `begin-${mode}`)
        expect(answer.status).toBe(503)
        expect(answer.headers['sluice-reason']).toBe('session_store_unavailable')
        expect(answer.headers['x-should-retry']).toBe('true')
        expect(errorOf(answer).error.type).toBe('overloaded_error')
        expect(simulator.journal.list({ tag: `begin-${mode}` })).toEqual([])
        const key = gateway.ready.keys.enterprise
        expect((await send(gateway.ready.url, claudeCall({ key }))).status).toBe(200)
      } finally {
        redis.setFault({ mode: 'ok' })
      }
      expect((await goesOn(session)).headers['sluice-turn']).toBe('2')
    })

    it('at its end: the caller is told, and the turn has never been', async () => {
      const session = await begin()
      const answering = say(SLOW, session, { stream: true }, `end-${mode}`)
      await eventually(
        async () => simulator.journal.list({ tag: `end-${mode}` }).length,
        (count) => count === 1,
        { withinMs: 5_000, everyMs: 10 },
      )
      redis.setFault({ mode })
      const text = (await answering).body.toString()
      redis.setFault({ mode: 'ok' })
      expect(text).toContain('event: error')
      expect(text).not.toContain('event: message_stop')
      const next = await goesOn(session)
      expect(next.headers['sluice-turn']).toBe('2')
      expect(await turnsOf(session)).toBe(2)
    })
  },
)
