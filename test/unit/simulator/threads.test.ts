// Message threads: what may be continued, by whom, for how long, and what is said otherwise.
import { describe, expect, it } from 'vitest'
import { ThreadStore } from '../../../tools/simulator/threads.ts'
import { ask, MODEL, post, simulatorForFile } from './support.ts'

const running = await simulatorForFile()
const BETA = { 'anthropic-beta': 'message-threads-2026-08-12' }
const proceed = (id: string) => ({ type: 'continue', previous_message_id: id })

interface Answer {
  id: string
  usage: { input_tokens: number; output_tokens: number }
  error: { type: string; message: string; details?: { error_code: string; unsupported?: string[] } }
}

async function turn(text: string, thread: unknown, extra: Record<string, unknown> = {}, more = {}) {
  const answer = await post(running, ask(text, { thread, ...extra }), {
    headers: { ...BETA, ...more },
  })
  return { status: answer.status, body: (await answer.json()) as Answer }
}

describe('a thread', () => {
  it('goes on from a reply with only the new turn, and counts the whole conversation', async () => {
    const first = await turn('one two three', { type: 'create' }, { system: 'be brief' })
    const second = await turn('and now?', proceed(first.body.id))
    expect(second.status).toBe(200)
    expect(second.body.usage.input_tokens).toBe(
      first.body.usage.input_tokens + first.body.usage.output_tokens + 2,
    )
    const third = await turn('more', proceed(second.body.id))
    expect(third.status).toBe(200)
  })

  it('is lost for another organization, and for an id that never was', async () => {
    const { body } = await turn('one', { type: 'create' })
    const other = await turn('two', proceed(body.id), {}, { 'x-api-key': 'sk-ant-sim-other' })
    expect(other.status).toBe(404)
    expect(other.body.error).toMatchObject({
      type: 'not_found_error',
      details: { error_code: 'thread_not_found' },
    })
    expect((await turn('two', proceed('msg_none'))).status).toBe(404)
  })

  it('can be continued once from each reply', async () => {
    const { body } = await turn('one', { type: 'create' })
    expect((await turn('two', proceed(body.id))).status).toBe(200)
    const again = await turn('three', proceed(body.id))
    expect(again.body.error.details?.error_code).toBe('thread_already_continued')
  })

  it('can be continued again after a continuation that failed', async () => {
    const { body } = await turn('one', { type: 'create' })
    const failed = await post(running, ask('two', { stream: true, thread: proceed(body.id) }), {
      headers: { ...BETA, 'anthropic-sim-fault': 'truncate;after=2' },
    })
    await failed.text()
    expect((await turn('two', proceed(body.id))).status).toBe(200)
  })

  it('refuses a second continuation while one is under way', async () => {
    const { body } = await turn('one', { type: 'create' })
    const held = post(
      running,
      ask('two [sim:gap=30]', { stream: true, thread: proceed(body.id) }),
      {
        headers: BETA,
      },
    )
    await running.journal.wait({ state: 'began', since: 1 })
    const refused = await turn('two', proceed(body.id))
    expect(refused.body.error.details?.error_code).toBe('thread_continue_in_flight')
    await (await held).text()
  })

  it('refuses its system, tools and another model on a continuation', async () => {
    const { body } = await turn('one', { type: 'create' })
    expect((await turn('two', proceed(body.id), { system: 'x' })).status).toBe(400)
    expect((await turn('two', proceed(body.id), { tools: [] })).status).toBe(400)
    const other = await turn('two', proceed(body.id), { model: 'claude-opus-5-5' })
    expect(other.body.error.details?.error_code).toBe('thread_fingerprint_mismatch')
    expect((await turn('two', proceed(body.id))).status).toBe(200)
  })

  it('judges tool results against the call that the thread holds', async () => {
    const tools = [{ name: 'look', input_schema: { type: 'object' } }]
    const first = await turn('[sim:tool]', { type: 'create' }, { tools })
    const content = (first.body as unknown as { content: { type: string; id: string }[] }).content
    const id = content.find((block) => block.type === 'tool_use')?.id
    const result = (toolId: unknown) => ({
      messages: [{ role: 'user', content: [{ type: 'tool_result', tool_use_id: toolId }] }],
    })
    expect((await turn('', proceed(first.body.id), result('toolu_other'))).status).toBe(400)
    expect((await turn('', proceed(first.body.id), result(id))).status).toBe(200)
  })

  it('is refused as unsupported beside fields that it cannot hold, and by a platform without it', async () => {
    const beside = await turn('one', { type: 'create' }, { context_management: {} })
    expect(beside.status).toBe(400)
    expect(beside.body.error.details).toEqual({
      error_code: 'thread_unsupported_request',
      unsupported: ['context_management'],
    })
    running.sim.settings.threads = false
    const without = await turn('one', { type: 'create' })
    expect(without.body.error.details?.error_code).toBe('thread_unsupported_request')
  })

  it('lasts five minutes', () => {
    const clock = { now: 0 }
    const store = new ThreadStore(() => clock.now)
    const request = {
      model: MODEL,
      max_tokens: 1,
      messages: [{ role: 'user' as const, content: 'x' }],
    }
    const reply = [{ type: 'text', text: 'y' }]
    store.open('o', { ...request, thread: { type: 'create' } }, 300_000).keep('m1', reply)
    const next = { ...request, thread: { type: 'continue' as const, previous_message_id: 'm1' } }
    clock.now = 299_999
    const going = store.open('o', next, 300_000)
    expect(going.request.messages).toHaveLength(3)
    going.drop()
    clock.now = 300_000
    expect(() => store.open('o', next, 300_000)).toThrow(/No usable thread state/)
  })
})
