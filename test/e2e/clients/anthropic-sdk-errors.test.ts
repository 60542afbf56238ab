// Every error class of Claude's SDK as the gateway makes it raise them, and who retries: the gateway, not both.
import Anthropic, {
  APIError,
  AuthenticationError,
  BadRequestError,
  ConflictError,
  ContentTooLargeError,
  GatewayTimeoutError,
  InternalServerError,
  NotFoundError,
  OverloadedError,
  PaymentRequiredError,
  RateLimitError,
  ServiceUnavailableError,
  UnprocessableEntityError,
} from '@anthropic-ai/sdk'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeApiKey } from '../../../src/core/keys/api-key.ts'
import { MODELS } from '../../../tools/simulator/models.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import {
  headerOf,
  journalAt,
  newTag,
  type SimulatorJournal,
} from '../../support/gateway-simulator.ts'

const ATTEMPTS = 2
const BODY_MAX_BYTES = 100_000

let gateway: TestGateway
let journal: SimulatorJournal
let client: Anthropic

beforeAll(async () => {
  gateway = await startTestGateway({
    settings: {
      SLUICE_RETRY_ATTEMPTS: ATTEMPTS,
      SLUICE_RETRY_BASE_MS: 1,
      SLUICE_RETRY_MAX_MS: 5,
      SLUICE_RETRY_BUDGET_RATIO: 1,
      SLUICE_BODY_MAX_BYTES: BODY_MAX_BYTES,
      SLUICE_FIRST_BYTE_TIMEOUT_MS: 500,
      SLUICE_BREAKER_CONSECUTIVE: 100_000,
      SLUICE_BREAKER_MIN_CALLS: 100_000,
      SLUICE_QUEUE_WAIT_MS: 0,
    },
  })
  journal = journalAt(gateway.simulatorUrl)
  client = new Anthropic({ baseURL: gateway.url, apiKey: gateway.keys.enterprise })
})
afterAll(() => gateway.stop())

/** A model for each case: what one case does to its gate is not the next one's. */
let used = 0
const nextModel = (): string => MODELS[used++ % MODELS.length]?.id ?? ''

interface Ask {
  readonly fault?: string
  readonly tag?: string
  readonly body?: Record<string, unknown>
  readonly by?: Anthropic
}

function ask({ fault, tag, body = {}, by = client }: Ask): Promise<unknown> {
  const params = {
    model: nextModel(),
    max_tokens: 50,
    messages: [{ role: 'user' as const, content: 'Hello' }],
    ...body,
  }
  return by.messages.create(params as Anthropic.MessageCreateParamsNonStreaming, {
    headers: {
      ...(fault === undefined ? {} : { 'anthropic-sim-fault': fault }),
      ...(tag === undefined ? {} : { 'anthropic-sim-tag': tag }),
    },
  })
}

async function errorOf(call: Promise<unknown>): Promise<APIError> {
  try {
    await call
  } catch (error) {
    if (error instanceof APIError) return error
    throw error
  }
  throw new Error('The call succeeded')
}

describe('errors of the gateway', () => {
  test('no key: AuthenticationError', async () => {
    const by = new Anthropic({
      baseURL: gateway.url,
      apiKey: null,
      defaultHeaders: { authorization: null, 'x-api-key': null },
    })
    const error = await errorOf(ask({ by }))
    expect(error).toBeInstanceOf(AuthenticationError)
    expect(error.type).toBe('authentication_error')
    expect(error.headers?.get('sluice-reason')).toBe('key_missing')
  })

  test('a key that nobody has: AuthenticationError', async () => {
    const apiKey = makeApiKey(randomBytes(256)).text
    const error = await errorOf(ask({ by: new Anthropic({ baseURL: gateway.url, apiKey }) }))
    expect(error).toBeInstanceOf(AuthenticationError)
    expect(error.headers?.get('sluice-reason')).toBe('key_unknown')
  })

  test('a missing field: BadRequestError', async () => {
    const error = await errorOf(ask({ body: { max_tokens: undefined } }))
    expect(error).toBeInstanceOf(BadRequestError)
    expect(error.type).toBe('invalid_request_error')
    expect(error.apiMessage).toContain('max_tokens')
  })

  test('a body above the limit: ContentTooLargeError', async () => {
    const content = 'x'.repeat(BODY_MAX_BYTES)
    const error = await errorOf(ask({ body: { messages: [{ role: 'user', content }] } }))
    expect(error).toBeInstanceOf(ContentTooLargeError)
    expect(error.type).toBe('request_too_large')
    expect(error.headers?.get('sluice-reason')).toBe('body_too_large')
  })

  test('a route that does not exist: NotFoundError', async () => {
    const error = await errorOf(client.post('/v1/unheard-of', { body: {} }))
    expect(error).toBeInstanceOf(NotFoundError)
    expect(error.requestID).toMatch(/^req_/)
  })

  test("the tenant's own limit: RateLimitError with an exact retry-after", async () => {
    const by = new Anthropic({ baseURL: gateway.url, apiKey: gateway.keys.free, maxRetries: 0 })
    // One after another: the tier takes two at a time, and ten a minute.
    let error: APIError | null = null
    for (let asked = 0; asked <= 10 && error === null; asked += 1) {
      error = await errorOf(ask({ by })).catch(() => null)
    }
    expect(error).toBeInstanceOf(RateLimitError)
    expect(error?.headers?.get('sluice-reason')).toBe('tenant_requests')
    const seconds = Number(error?.headers?.get('retry-after'))
    expect(seconds).toBeGreaterThanOrEqual(1)
    expect(seconds).toBeLessThanOrEqual(60)
    expect(error?.headers?.get('x-should-retry')).toBe('true')
  })
})

describe('errors of Claude', () => {
  test.each([
    [400, BadRequestError, 'invalid_request_error'],
    [402, PaymentRequiredError, 'billing_error'],
    [404, NotFoundError, 'not_found_error'],
    [409, ConflictError, 'conflict_error'],
    [413, ContentTooLargeError, 'request_too_large'],
    [422, UnprocessableEntityError, 'invalid_request_error'],
  ] as const)(
    '%i of the request itself: raised as it is, sent once',
    async (status, kind, type) => {
      const tag = newTag()
      const error = await errorOf(ask({ fault: `${status};message=Said%20by%20Claude`, tag }))
      expect(error).toBeInstanceOf(kind)
      expect(error.status).toBe(status)
      expect(error.type).toBe(type)
      expect(error.apiMessage).toBe('Said by Claude')
      expect(await journal.wait({ tag })).toHaveLength(1)
      expect(error.headers?.get('x-should-retry')).toBe('false')
      expect(error.headers?.has('retry-after')).toBe(false)
    },
  )

  test.each([
    [500, InternalServerError, 'api_error', null],
    [504, GatewayTimeoutError, 'timeout_error', null],
    [529, OverloadedError, 'overloaded_error', 'upstream_overloaded'],
  ] as const)(
    '%i: tried again by the gateway alone, then raised',
    async (status, kind, type, reason) => {
      const tag = newTag()
      const error = await errorOf(ask({ fault: String(status), tag }))
      expect(error).toBeInstanceOf(kind)
      expect(error.status).toBe(status)
      expect(error.type).toBe(type)
      expect(error.headers?.get('sluice-reason') ?? null).toBe(reason)
      expect(error.headers?.get('sluice-attempts')).toBe(String(ATTEMPTS))
      expect(error.headers?.get('x-should-retry')).toBe('false')
      expect(await journal.list({ tag })).toHaveLength(ATTEMPTS)
    },
  )

  test('a rate limit of the account: RateLimitError, its body as Claude wrote it', async () => {
    const by = new Anthropic({
      baseURL: gateway.url,
      apiKey: gateway.keys.enterprise,
      maxRetries: 0,
    })
    const error = await errorOf(ask({ by, fault: '429;retry-after=2;message=Slow%20down' }))
    expect(error).toBeInstanceOf(RateLimitError)
    expect(error.apiMessage).toBe('Slow down')
    expect(error.headers?.get('retry-after')).toBe('2')
    expect(error.headers?.get('x-should-retry')).toBe('true')
  })

  test.each(['529', 'error;after=0'])(
    'as the first event of a stream, %s is a status',
    async (fault) => {
      const tag = newTag()
      const error = await errorOf(ask({ fault, tag, body: { stream: true } }))
      expect(error).toBeInstanceOf(OverloadedError)
      expect(await journal.list({ tag })).toHaveLength(ATTEMPTS)
      // Claude puts one on every 200, where it means nothing; an error event comes after a 200.
      expect(error.headers?.has('retry-after')).toBe(false)
    },
  )

  test('an error event in mid-stream is raised from the stream, and nothing is sent again', async () => {
    const tag = newTag()
    const stream = client.messages.stream(
      {
        model: nextModel(),
        max_tokens: 500,
        messages: [{ role: 'user', content: '[sim:tokens=100]' }],
      },
      { headers: { 'anthropic-sim-fault': 'error;after=4', 'anthropic-sim-tag': tag } },
    )
    const error = await errorOf(stream.finalMessage())
    expect(error.type).toBe('overloaded_error')
    expect(await journal.list({ tag })).toHaveLength(1)
  })

  test.each([
    ['a page instead of JSON', '502', 'upstream_invalid'],
    ['an answer that is no JSON', 'bad-json', 'upstream_invalid'],
    ['a reset connection', 'reset', 'upstream_reset'],
  ])('%s: InternalServerError 502, once our attempts are spent', async (_, fault, reason) => {
    const tag = newTag()
    const error = await errorOf(ask({ fault, tag }))
    expect(error).toBeInstanceOf(InternalServerError)
    expect(error.status).toBe(502)
    expect(error.type).toBe('api_error')
    expect(error.headers?.get('sluice-reason')).toBe(reason)
    expect(await journal.list({ tag })).toHaveLength(ATTEMPTS)
  })

  test('silence: GatewayTimeoutError', async () => {
    const error = await errorOf(ask({ fault: 'hang' }))
    expect(error).toBeInstanceOf(GatewayTimeoutError)
    expect(error.type).toBe('timeout_error')
    expect(error.headers?.get('sluice-reason')).toBe('upstream_timeout')
  })
})

describe('retries', () => {
  test("the SDK obeys x-should-retry: its retries do not multiply the gateway's", async () => {
    const tag = newTag()
    const by = new Anthropic({
      baseURL: gateway.url,
      apiKey: gateway.keys.enterprise,
      maxRetries: 5,
    })
    await errorOf(ask({ by, fault: '500', tag }))
    const entries = await journal.list({ tag })
    expect(entries).toHaveLength(ATTEMPTS)
    expect(entries.map((entry) => headerOf(entry, 'x-stainless-retry-count'))).toEqual([
      undefined,
      undefined,
    ])
  })

  test('what passes by itself is answered at the second attempt, unseen by the caller', async () => {
    const tag = newTag()
    gateway.simulator.sim.rules.add({ match: { tag }, fault: '529', count: 1 })
    const { data, response } = await client.messages
      .create(
        { model: nextModel(), max_tokens: 50, messages: [{ role: 'user', content: 'Hello' }] },
        { headers: { 'anthropic-sim-tag': tag } },
      )
      .withResponse()
    expect(data.type).toBe('message')
    expect(response.headers.get('sluice-attempts')).toBe('2')
  })

  test("a refused credential of the account is not the caller's: ServiceUnavailableError", async () => {
    const spoiled = await startTestGateway({
      settings: { ANTHROPIC_API_KEY: 'sk-ant-sim-invalid' },
    })
    try {
      const by = new Anthropic({
        baseURL: spoiled.url,
        apiKey: spoiled.keys.enterprise,
        maxRetries: 0,
      })
      const error = await errorOf(ask({ by }))
      expect(error).toBeInstanceOf(ServiceUnavailableError)
      expect(error.type).toBe('overloaded_error')
      expect(error.headers?.get('sluice-reason')).toBe('accounts_open')
    } finally {
      await spoiled.stop()
    }
  })
})
