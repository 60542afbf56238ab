// What a session keeps of a conversation, and what it makes of it for Claude.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  addTurn,
  type Conversation,
  countTurns,
  cutAfter,
  emptyConversation,
  messagesOf,
  type NewTurn,
  parseConversation,
  printConversation,
} from '../../../src/core/conversation/conversation.ts'
import { withoutMarkers } from '../../../src/core/conversation/without-markers.ts'
import {
  printTurnRequest,
  readChatBody,
  readMessagesBody,
} from '../../../src/core/conversation/turn-request.ts'

const noUsage = { inputTokens: 1, outputTokens: 2, cacheWriteTokens: 3, cacheReadTokens: 4 }
const user = (content: unknown): string => JSON.stringify({ role: 'user', content })
const answer = (content: unknown): string => JSON.stringify({ id: 'm', content, usage: {} })
const text = (value: string): object => ({ type: 'text', text: value })
const use = (id: string): object => ({ type: 'tool_use', id, name: 'n', input: {} })
const result = (id: string): object => ({ type: 'tool_result', tool_use_id: id, content: 'r' })

const turn = (said: unknown, answered: unknown): NewTurn => ({
  model: 'claude-haiku-5-5',
  account: 'a1',
  system: null,
  said: [user(said)],
  answer: answer(answered),
  usage: noUsage,
})

const talk = (turns: readonly NewTurn[], maxChars = Infinity): Conversation =>
  turns.reduce((before, next) => addTurn(before, next, maxChars), emptyConversation)

const defaults = { model: 'claude-default', maxTokens: 99 }

describe('a conversation', () => {
  it('keeps every message as it was written, across being stored', () => {
    const written = '{"role":"user","content":[{"type":"text","text":"\\u0041 1"},{"n": 1.00}]}'
    const before = addTurn(
      emptyConversation,
      { ...turn('', [text('ok')]), said: [written] },
      Infinity,
    )
    const after = parseConversation(printConversation(before))
    expect(after).toEqual(before)
    expect(messagesOf(after)[0]).toBe(written)
    expect(after.usage).toEqual(noUsage)
  })

  it('was kept before the account was: it is then not known', () => {
    const older = printConversation(talk([turn('a', [text('b')])])).replace('"account":"a1",', '')
    expect(parseConversation(older).account).toBeNull()
  })

  it('of a later form is refused, not guessed', () => {
    expect(() => parseConversation('{"v":2}')).toThrow(RangeError)
  })

  it('keeps no answer without content, which Claude would refuse', () => {
    expect(messagesOf(talk([turn('a', []), turn('b', [text('c')])]))).toHaveLength(3)
  })

  it('drops the oldest whole turns over its limit and counts them', () => {
    const turns = Array.from({ length: 10 }, (_, at) => turn(`said ${at}`, [text('x'.repeat(50))]))
    const one = messagesOf(talk(turns.slice(0, 1))).join('').length
    const kept = talk(turns, 3 * one)
    expect(countTurns(kept)).toBe(10)
    expect(kept.dropped).toBe(7)
    expect(messagesOf(kept)[0]).toBe(user('said 7'))
  })

  it('never keeps the result of a tool whose use went', () => {
    const turns = [
      turn('question', [use('a')]),
      turn([result('a')], [use('b')]),
      turn([result('b')], [text('done')]),
      turn('next', [text('y')]),
    ]
    const all = messagesOf(talk(turns)).join('').length
    expect(talk(turns, all - 1).dropped).toBe(3)
    // A chain that is still the newest stays whole, however large.
    expect(talk(turns.slice(0, 3), 1).dropped).toBe(0)
  })

  it('is valid for Claude whatever was dropped: no result without its use, a user first', () => {
    const step = fc.record({ uses: fc.boolean(), size: fc.nat(200) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.nat(3000), (steps, maxChars) => {
        let conversation = emptyConversation
        let open: string | null = null
        for (const [at, { uses, size }] of steps.entries()) {
          const said: unknown = open === null ? `q${at}` : [result(open)]
          open = uses ? `id${at}` : null
          const answered = open === null ? [text('x'.repeat(size + 1))] : [use(open)]
          conversation = addTurn(conversation, turn(said, answered), maxChars)
        }
        expect(countTurns(conversation)).toBe(steps.length)
        const known = new Set<string>()
        for (const message of messagesOf(conversation)) {
          const { content } = JSON.parse(message) as { content: unknown }
          for (const block of Array.isArray(content) ? content : []) {
            const { id, tool_use_id: answers } = block as { id?: string; tool_use_id?: string }
            if (id !== undefined) known.add(id)
            if (answers !== undefined) expect(known.has(answers)).toBe(true)
          }
        }
        const [first] = messagesOf(conversation)
        if (first !== undefined) expect(first).toContain('"role":"user"')
      }),
    )
  })

  it('can be cut after any turn that it still has', () => {
    const turns = Array.from({ length: 5 }, (_, at) => turn(`said ${at}`, [text('x')]))
    const all = talk(turns)
    expect(messagesOf(cutAfter(all, 2) ?? emptyConversation)).toEqual(
      messagesOf(talk(turns.slice(0, 2))),
    )
    expect(cutAfter(all, 0)).toBeNull()
    expect(cutAfter(all, 6)).toBeNull()
    expect(cutAfter({ ...all, dropped: 3, turns: all.turns.slice(3) }, 3)).toBeNull()
  })
})

describe('the request of a turn', () => {
  const kept = talk([{ ...turn('one', [text('two')]), system: '"Be brief"' }])

  it('has the history before what the caller says, and all else as it was written', () => {
    const body =
      '{"max_tokens": 5,"x_new":{"a": 1.0},"messages":[ {"role":"user","content":"three"} ],"model":"m"}'
    expect(printTurnRequest(readMessagesBody(body), kept, defaults)).toBe(
      '{"max_tokens":5,"x_new":{"a": 1.0},"messages":[' +
        [user('one'), '{"role":"assistant","content":[{"type":"text","text":"two"}]}'].join(',') +
        ',{"role":"user","content":"three"}],"model":"m","system":"Be brief"}',
    )
  })

  it('of a chat takes model, system and length from the conversation or the defaults', () => {
    const read = readChatBody('{"message":"hi","session_id":"s","stream":true}')
    if (read.kind !== 'said') throw new Error(read.message)
    expect(read.said.sessionId).toBe('s')
    expect(JSON.parse(printTurnRequest(read.said, emptyConversation, defaults))).toEqual({
      stream: true,
      model: 'claude-default',
      max_tokens: 99,
      messages: [{ role: 'user', content: 'hi' }],
    })
    expect(JSON.parse(printTurnRequest(read.said, kept, defaults))).toMatchObject({
      model: 'claude-haiku-5-5',
      system: 'Be brief',
    })
  })

  it.each([
    ['{}', 'message: Field required'],
    ['{"message":""}', 'message: Input should be a non-empty'],
    ['{"message":[]}', 'message: Input should be a non-empty'],
    ['{"message":7}', 'message: Input should be a non-empty'],
    ['{"message":"a","session_id":5}', 'session_id: Input should be a non-empty string'],
    ['{"message":"a","model":""}', 'model: Input should be a non-empty string'],
    ['{"message":"a","messages":[]}', 'messages: Extra inputs are not permitted'],
    ['{"message":"a","thread":{"type":"create"}}', 'thread: Extra inputs'],
    ['{"message":"a","message":"b"}', 'message: Field given more than once'],
  ])('of a chat that is wrong is refused by the field: %s', (body, message) => {
    const read = readChatBody(body)
    expect(read.kind === 'wrong' && read.message).toContain(message)
  })
})

describe('markers of the caller', () => {
  const marker = { cache_control: { type: 'ephemeral' } }

  it('do not pile up turn by turn: kept messages have none', () => {
    const marked = [{ ...text('x'), ...marker }]
    const inResult = [{ ...result('a'), content: [{ ...text('r'), ...marker }], ...marker }]
    const many = talk([
      turn(marked, [use('a')]),
      turn(inResult, [text('b')]),
      ...Array.from({ length: 4 }, () => turn(marked, [text('c')])),
    ])
    expect(messagesOf(many).join('')).not.toContain('cache_control')
  })

  it("are not a field of that name in a tool's input; a message without any stays as it is", () => {
    const input = JSON.stringify({
      role: 'assistant',
      content: [{ type: 'tool_use', id: 'a', name: 'n', input: marker }],
    })
    expect(withoutMarkers(input)).toBe(input)
    const spaced = '{ "role": "user", "content": "cache_control" }'
    expect(withoutMarkers(spaced)).toBe(spaced)
  })
})
