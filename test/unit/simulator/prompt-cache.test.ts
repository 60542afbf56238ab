// The rules of the prompt cache: what is written, what is read, and when.
import { describe, expect, it } from 'vitest'
import { findModel, type Model } from '../../../tools/simulator/models.ts'
import { PromptCache, type InputUsage } from '../../../tools/simulator/prompt-cache.ts'
import type { MessagesRequest } from '../../../tools/simulator/request-types.ts'
import { countInputTokens } from '../../../tools/simulator/tokens.ts'
import { ask, post, simulatorForFile } from './support.ts'

const model = findModel('claude-sonnet-5-5') as Model
const LONG = 'word '.repeat(2_000)
const MARK = { cache_control: { type: 'ephemeral' } }

function request(overrides: Partial<MessagesRequest> = {}): MessagesRequest {
  return {
    model: model.id,
    max_tokens: 10,
    system: [{ type: 'text', text: LONG, ...MARK }],
    messages: [{ role: 'user', content: 'hello' }],
    ...overrides,
  }
}

function cacheAt(start = 0) {
  const clock = { now: start }
  const cache = new PromptCache(() => clock.now)
  const call = (wanted: MessagesRequest, workspace = 'w') => {
    const plan = cache.plan(workspace, model, wanted)
    plan.commit()
    return plan.usage
  }
  return { clock, cache, call }
}

function total(usage: InputUsage): number {
  const { input_tokens, cache_creation_input_tokens, cache_read_input_tokens } = usage
  return input_tokens + cache_creation_input_tokens + cache_read_input_tokens
}

describe('the prompt cache', () => {
  it('writes a marked prefix at first and reads it after, the sum being the same', () => {
    const { call } = cacheAt()
    const first = call(request())
    expect(first).toMatchObject({ cache_creation_input_tokens: 2_500, cache_read_input_tokens: 0 })
    const second = call(request())
    expect(second).toMatchObject({ cache_creation_input_tokens: 0, cache_read_input_tokens: 2_500 })
    expect(total(first)).toBe(countInputTokens(request()))
    expect(total(second)).toBe(total(first))
  })

  it('cannot be read before the answer that writes it has begun', () => {
    const { cache } = cacheAt()
    const writing = cache.plan('w', model, request())
    expect(cache.plan('w', model, request()).usage.cache_read_input_tokens).toBe(0)
    writing.commit()
    expect(cache.plan('w', model, request()).usage.cache_read_input_tokens).toBe(2_500)
  })

  it('keeps workspaces and models apart', () => {
    const { call, cache } = cacheAt()
    call(request(), 'w1')
    expect(call(request(), 'w2').cache_read_input_tokens).toBe(0)
    const opus = findModel('claude-opus-5-5') as Model
    expect(cache.plan('w1', opus, request()).usage.cache_read_input_tokens).toBe(0)
  })

  it('does not cache a prefix below the least of the model', () => {
    const { call } = cacheAt()
    const short = request({ system: [{ type: 'text', text: 'word '.repeat(700), ...MARK }] })
    expect(call(short).cache_creation_input_tokens).toBe(0)
    expect(call(short).cache_read_input_tokens).toBe(0)
    expect(model.leastCacheTokens).toBe(1_024)
  })

  it('forgets after five minutes, or an hour, and a read starts the time again', () => {
    const { call, clock } = cacheAt()
    call(request())
    clock.now += 299_000
    expect(call(request()).cache_read_input_tokens).toBe(2_500)
    clock.now += 299_000
    expect(call(request()).cache_read_input_tokens).toBe(2_500)
    clock.now += 300_000
    expect(call(request()).cache_read_input_tokens).toBe(0)
    const hour = request({
      system: [{ type: 'text', text: `${LONG}!`, cache_control: { type: 'ephemeral', ttl: '1h' } }],
    })
    expect(call(hour).cache_creation).toEqual({
      ephemeral_5m_input_tokens: 0,
      ephemeral_1h_input_tokens: 2_501,
    })
    clock.now += 3_599_000
    expect(call(hour).cache_read_input_tokens).toBe(2_501)
  })

  it('misses when anything before the marker changes, tools first', () => {
    const { call } = cacheAt()
    const tool = { name: 'a', input_schema: { type: 'object' } }
    call(request({ tools: [tool] }))
    expect(call(request({ tools: [tool] })).cache_read_input_tokens).toBeGreaterThan(0)
    expect(call(request({ tools: [{ ...tool, name: 'b' }] })).cache_read_input_tokens).toBe(0)
    expect(
      call(request({ tools: [tool], messages: [{ role: 'user', content: 'other' }] })),
    ).toMatchObject({ cache_creation_input_tokens: 0 })
  })

  it('reads the longest known prefix of a growing conversation and writes only what is new', () => {
    const { call } = cacheAt()
    const turn = (texts: string[]) =>
      request({
        system: LONG,
        cache_control: { type: 'ephemeral' },
        messages: texts.map((text, index) => ({
          role: index % 2 === 0 ? 'user' : 'assistant',
          content: text,
        })),
      })
    const first = call(turn(['first question']))
    const second = call(turn(['first question', 'an answer', 'second question']))
    expect(second.cache_read_input_tokens).toBe(total(first))
    expect(second.input_tokens).toBe(0)
    expect(second.cache_creation_input_tokens).toBe(total(second) - total(first))
  })

  it('splits what is written by the time of its markers', () => {
    const { call } = cacheAt()
    const both = request({
      system: [{ type: 'text', text: LONG, cache_control: { type: 'ephemeral', ttl: '1h' } }],
      messages: [{ role: 'user', content: [{ type: 'text', text: 'four', ...MARK }] }],
    })
    expect(call(both).cache_creation).toEqual({
      ephemeral_5m_input_tokens: 1,
      ephemeral_1h_input_tokens: 2_500,
    })
  })

  it('stays bounded', () => {
    const { call, cache } = cacheAt()
    for (let i = 0; i < 300; i++) {
      call(request({ messages: [{ role: 'user', content: `n${i}` }] }), `w${i % 7}`)
    }
    expect(cache.size).toBe(7)
  })
})

const running = await simulatorForFile()

describe('prompt caching over HTTP', () => {
  it('is warmed by max_tokens 0, and cached reads are free of the input limit', async () => {
    running.sim.limits.configure('test', '*', { input_tokens_per_minute: 3_000 })
    const body = ask('hello', { system: [{ type: 'text', text: LONG, ...MARK }], max_tokens: 0 })
    const warmed = (await (await post(running, body)).json()) as {
      content: unknown[]
      usage: InputUsage & { output_tokens: number }
    }
    expect(warmed.content).toEqual([])
    expect(warmed.usage).toMatchObject({ cache_creation_input_tokens: 2_500, output_tokens: 0 })
    // 2,502 of 3,000 are used up: only a cached read fits twice more.
    for (let i = 0; i < 2; i++) {
      const answer = await post(running, { ...body, max_tokens: 20 })
      expect(answer.status).toBe(200)
      expect(((await answer.json()) as typeof warmed).usage.cache_read_input_tokens).toBe(2_500)
    }
  })
})
