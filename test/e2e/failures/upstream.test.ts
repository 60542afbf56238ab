// What a caller sees when Claude's API fails in one of its ways: before the first byte a status of the contract, after
// it an `error` event, and never a silent end.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MODELS } from '../../../tools/simulator/models.ts'
import { accountList } from '../../support/accounts.ts'
import { claudeCall, errorOf, eventsOf, isClaudeError } from '../../support/claude-call.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { newTag } from '../../support/gateway-simulator.ts'
import { type RawAnswer, send } from '../../support/raw-http.ts'

const ATTEMPTS = 3
const FIRST_BYTE_TIMEOUT_MS = 300
const IDLE_TIMEOUT_MS = 500
const PING_MS = 100
const RETRY_AFTER_MAX_S = 2

/** Models whose accounts a case closes for good: no other case may use them. */
const SHUT = ['shut-spend', 'shut-contract', 'shut-401', 'shut-403']

let gateway: TestGateway

beforeAll(async () => {
  gateway = await startTestGateway({
    settings: {
      ANTHROPIC_ACCOUNTS: accountList(
        ...[...MODELS.map(({ id }) => id), ...SHUT].map((model, index) => ({
          id: `account${index}`,
          models: [model],
        })),
      ),
      SLUICE_RETRY_ATTEMPTS: ATTEMPTS,
      SLUICE_RETRY_BASE_MS: 1,
      SLUICE_RETRY_MAX_MS: 5,
      SLUICE_RETRY_BUDGET_RATIO: 1,
      SLUICE_RETRY_AFTER_MAX_MS: RETRY_AFTER_MAX_S * 1000,
      SLUICE_FIRST_BYTE_TIMEOUT_MS: FIRST_BYTE_TIMEOUT_MS,
      SLUICE_IDLE_TIMEOUT_MS: IDLE_TIMEOUT_MS,
      SLUICE_PING_MS: PING_MS,
      SLUICE_BREAKER_CONSECUTIVE: 100_000,
      SLUICE_BREAKER_MIN_CALLS: 100_000,
    },
  })
})

afterAll(() => gateway.stop())

let used = 0
/** The next model has an account of its own: what a case teaches a gate is not the next case's. */
const nextModel = (): string => MODELS[used++ % MODELS.length]?.id ?? ''

type Options = Omit<Parameters<typeof claudeCall>[0], 'key'>

const ask = ({ fields, ...options }: Options): Promise<RawAnswer> =>
  send(
    gateway.url,
    claudeCall({
      key: gateway.keys.enterprise,
      fields: { model: nextModel(), ...fields },
      ...options,
    }),
  )

const askStream = (options: Options) => ask({ ...options, fields: { stream: true } })

const attemptsOf = (tag: string): number => gateway.simulator.journal.list({ tag }).length

const kinds = [
  { kind: 'a plain call', stream: false },
  { kind: 'a stream', stream: true },
] as const

describe.each(kinds)('$kind whose upstream fails before its first byte', ({ stream }) => {
  it.each([
    { fault: '500', status: 500, type: 'api_error', reason: undefined },
    { fault: '503;type=api_error', status: 503, type: 'api_error', reason: undefined },
    { fault: '529', status: 529, type: 'overloaded_error', reason: 'upstream_overloaded' },
    { fault: '502', status: 502, type: 'api_error', reason: 'upstream_invalid' },
    { fault: '500=html', status: 502, type: 'api_error', reason: 'upstream_invalid' },
    { fault: 'reset', status: 502, type: 'api_error', reason: 'upstream_reset' },
    { fault: 'hang', status: 504, type: 'timeout_error', reason: 'upstream_timeout' },
    { fault: 'html', status: 502, type: 'api_error', reason: 'upstream_invalid' },
    { fault: 'wrong-type', status: 502, type: 'api_error', reason: 'upstream_invalid' },
  ])('by $fault is tried again and then told $status $type', async (expected) => {
    const tag = newTag()
    const answer = await ask({ tag, fault: expected.fault, fields: { stream } })
    expect(answer.status).toBe(expected.status)
    expect(isClaudeError(answer.body)).toBe(true)
    expect(errorOf(answer).error.type).toBe(expected.type)
    expect(answer.headers['sluice-reason']).toBe(expected.reason)
    expect(answer.headers['x-should-retry']).toBe('false')
    expect(answer.headers['sluice-attempts']).toBe(String(ATTEMPTS))
    expect(attemptsOf(tag)).toBe(ATTEMPTS)
  })

  it.each(['empty'])('by %s is told 502', async (fault) => {
    const tag = newTag()
    const answer = await ask({ tag, fault, fields: { stream } })
    expect(answer.status).toBe(502)
    expect(answer.headers['sluice-reason']).toBe(stream ? 'upstream_reset' : 'upstream_invalid')
    expect(errorOf(answer).error.type).toBe('api_error')
    expect(attemptsOf(tag)).toBe(ATTEMPTS)
  })

  it('is answered when a later attempt succeeds, and says how many it took', async () => {
    const tag = newTag()
    gateway.simulator.sim.rules.add({ match: { tag }, fault: '529', count: 2 })
    const answer = await ask({ tag, fields: { stream } })
    expect(answer.status).toBe(200)
    expect(answer.headers['sluice-attempts']).toBe('3')
    expect(answer.headers['sluice-reason']).toBeUndefined()
  })

  it('is not tried again when its client says that it is retrying by itself', async () => {
    const tag = newTag()
    const answer = await ask({
      tag,
      fault: '529',
      fields: { stream },
      headers: [['x-stainless-retry-count', '1']],
    })
    expect(answer.status).toBe(529)
    expect(attemptsOf(tag)).toBe(1)
  })

  it('by a request of its own making is not tried again', async () => {
    for (const fault of ['400', '402', '404', '413']) {
      const tag = newTag()
      const answer = await ask({ tag, fault, fields: { stream } })
      expect(answer.status).toBe(Number(fault))
      expect(answer.headers['x-should-retry']).toBe('false')
      expect(attemptsOf(tag)).toBe(1)
    }
  })
})

describe("an account's rate limit", () => {
  it("is told with Claude's own `retry-after`, and may be tried again then", async () => {
    const answer = await ask({
      fault: '429;retry-after=1',
      headers: [['x-stainless-retry-count', '1']],
    })
    expect(answer.status).toBe(429)
    expect(answer.headers['retry-after']).toBe('1')
    expect(answer.headers['x-should-retry']).toBe('true')
    expect(answer.headers['sluice-reason']).toBe('accounts_throttled')
  })

  it('is never told with a `retry-after` beyond our bound', async () => {
    const answer = await ask({ fault: '429;retry-after=86400' })
    expect(answer.status).toBe(429)
    expect(answer.headers['retry-after']).toBe(String(RETRY_AFTER_MAX_S))
  })

  it.each(['spend', 'contract'])('of the kind %s is told as final', async (kind) => {
    const answer = await ask({ fault: `429=${kind}`, fields: { model: `shut-${kind}` } })
    expect(answer.status).toBe(429)
    expect(errorOf(answer).error.details?.['error_code']).toMatch(/spend_limit_reached$/)
    expect(answer.headers['retry-after']).toBeUndefined()
    expect(answer.headers['x-should-retry']).toBe('false')
  })
})

it.each(['401', '403'])(
  'a %s for our own credential is not told as the caller’s',
  async (fault) => {
    const answer = await ask({ fault })
    expect(answer.status).toBe(503)
    expect(answer.headers['sluice-reason']).toBe('accounts_open')
    expect(answer.body.toString()).not.toContain('x-api-key')
  },
)

it('a plain answer that is no JSON is told 502 upstream_invalid', async () => {
  const answer = await ask({ fault: 'bad-json' })
  expect(answer.status).toBe(502)
  expect(answer.headers['sluice-reason']).toBe('upstream_invalid')
})

it.each(['reset;after=1', 'truncate;after=1', 'cut;after=1'])(
  'a plain answer that breaks halfway by %s is told 502 upstream_reset',
  async (fault) => {
    const answer = await ask({ fault })
    expect(answer.status).toBe(502)
    expect(answer.headers['sluice-reason']).toBe('upstream_reset')
    expect(isClaudeError(answer.body)).toBe(true)
  },
)

describe('an `error` event as the first of a stream', () => {
  it.each([
    ['overloaded_error', 529],
    ['api_error', 500],
    ['rate_limit_error', 429],
  ])('%s is told as status %i once the attempts are spent', async (type, status) => {
    const tag = newTag()
    const answer = await askStream({ tag, fault: `error=${type};after=0` })
    expect(answer.status).toBe(status)
    expect(answer.headers['content-type']).toBe('application/json')
    expect(errorOf(answer).error.type).toBe(type)
    expect(attemptsOf(tag)).toBe(ATTEMPTS)
  })

  it('is tried again before the caller sees anything', async () => {
    const tag = newTag()
    gateway.simulator.sim.rules.add({ match: { tag }, fault: 'error;after=0', count: 1 })
    const answer = await askStream({ tag })
    expect(answer.status).toBe(200)
    expect(answer.headers['sluice-attempts']).toBe('2')
    expect(answer.body.toString()).not.toContain('event: error')
    expect(answer.body.toString()).toContain('message_stop')
  })
})

describe('a stream that breaks after its content has begun', () => {
  const prompt = '[sim:tokens=40][sim:deltas=10]'

  it("passes Claude's own `error` event on as it came, and nothing after it", async () => {
    const tag = newTag()
    const answer = await askStream({ tag, prompt, fault: 'error=overloaded_error;after=5' })
    expect(answer.status).toBe(200)
    const events = eventsOf(answer.body)
    const errors = events.filter(({ event }) => event === 'error')
    expect(errors).toHaveLength(1)
    expect(events.at(-1)?.event).toBe('error')
    const [entry] = await gateway.simulator.journal.wait({ tag })
    // Claude's own words, with Claude's own request id.
    expect(errors[0]?.data).toContain(entry?.request_id)
    expect(attemptsOf(tag)).toBe(1)
  })

  it.each([
    ['reset;after=6', 'api_error'],
    ['cut;after=6', 'api_error'],
    ['truncate;after=6', 'api_error'],
    ['cut;bytes=900', 'api_error'],
    ['truncate;bytes=901', 'api_error'],
    ['truncate;bytes=1100', 'api_error'],
    ['stall;after=6', 'timeout_error'],
    ['stall;bytes=905', 'timeout_error'],
  ])('by %s ends with an `error` event in Claude’s shape', async (fault, type) => {
    const tag = newTag()
    const answer = await askStream({ tag, prompt, fault })
    expect(answer.status).toBe(200)
    const events = eventsOf(answer.body)
    expect(events.at(-1)?.event, answer.body.toString()).toBe('error')
    const data = Buffer.from(lastErrorData(answer.body))
    expect(isClaudeError(data), data.toString()).toBe(true)
    expect(JSON.parse(data.toString())).toMatchObject({
      error: { type },
      request_id: answer.headers['request-id'],
    })
    expect(answer.body.toString()).not.toContain('message_stop')
    // Nothing is retried once content has been sent.
    expect(attemptsOf(tag)).toBe(1)
  })

  /** In the middle of an event the last one holds both: half a line of Claude's, then ours. */
  const lastErrorData = (body: Buffer): string => {
    const text = body.toString()
    return text.slice(text.lastIndexOf('data: ') + 6).trimEnd()
  }

  it('keeps what has come as it came', async () => {
    const model = nextModel()
    const whole = await ask({ prompt, fields: { stream: true, model } })
    gateway.simulator.sim.canned.set('begun', whole.body)
    const cut = await ask({
      prompt,
      fields: { stream: true, model },
      fault: 'canned=begun,truncate;bytes=1000',
    })
    expect(cut.body.subarray(0, 1000).equals(whole.body.subarray(0, 1000))).toBe(true)
    expect(cut.body.subarray(1000).toString()).toMatch(/^\n*event: error\n/)
  })
})

describe('a silent stream', () => {
  it('gets comment lines between events, and only there', async () => {
    const answer = await askStream({
      prompt: '[sim:tokens=20][sim:deltas=5]',
      fault: `stall;after=4;ms=${IDLE_TIMEOUT_MS - 100}`,
    })
    const text = answer.body.toString()
    const comments = text.match(/^:.*$/gm) ?? []
    expect(comments.length).toBeGreaterThanOrEqual(2)
    // Taken out again, what is left is a stream without a scar.
    const events = text.replaceAll(/^:.*\n\n/gm, '')
    for (const block of events.split('\n\n').filter((part) => part !== '')) {
      expect(block).toMatch(/^event: \w+\ndata: \{.*\} *$/)
    }
    expect(events).toContain('message_stop')
  })

  it('gets none in the middle of an event', async () => {
    const whole = await askStream({ prompt: '[sim:tokens=20][sim:deltas=5]' })
    gateway.simulator.sim.canned.set('silent', whole.body)
    for (const bytes of [whole.body.indexOf('\n\n') + 1, whole.body.indexOf('data: {') + 20]) {
      const answer = await askStream({
        fault: `canned=silent,stall;bytes=${bytes};ms=${IDLE_TIMEOUT_MS - 150}`,
      })
      expect(answer.body.toString()).toBe(whole.body.toString())
    }
  })

  it('is aborted upstream when it stalls for good', async () => {
    const tag = newTag()
    await askStream({ tag, fault: 'stall;after=4' })
    const [entry] = await gateway.simulator.journal.wait({ tag }, { timeoutMs: 1_000 })
    expect(entry?.outcome).toBe('aborted')
  })
})

it('headers that come slowly are waited for', async () => {
  const answer = await ask({ fault: 'slow-headers=150' })
  expect(answer.status).toBe(200)
})
