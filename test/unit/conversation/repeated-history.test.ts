// A caller that says the history again with each request is understood.
import { describe, expect, it } from 'vitest'
import {
  addTurn,
  type Conversation,
  emptyConversation,
} from '../../../src/core/conversation/conversation.ts'
import { withoutRepeated } from '../../../src/core/conversation/repeated-history.ts'

const user = (content: unknown): string => JSON.stringify({ role: 'user', content })
const answer = (text: string): string =>
  JSON.stringify({ role: 'assistant', content: [{ type: 'text', text }] })

const talk = (turns: readonly (readonly [string, string])[], maxBytes = Infinity): Conversation =>
  turns.reduce(
    (before, [said, text]) =>
      addTurn(
        before,
        {
          model: 'm',
          account: null,
          system: null,
          said: [user(said)],
          answer: JSON.stringify({ content: [{ type: 'text', text }] }),
          usage: emptyConversation.usage,
        },
        maxBytes,
      ),
    emptyConversation,
  )

const kept = talk([
  ['one', 'two'],
  ['three', 'four'],
])
const history = [user('one'), answer('two'), user('three'), answer('four')]
const next = user('five')

describe('what is new of what a caller says', () => {
  it.each<[string, readonly string[], readonly string[]]>([
    ['all, where nothing is repeated', [next], [next]],
    ['what follows the whole history', [...history, next], [next]],
    ['what follows its end', [...history.slice(2), next], [next]],
    ['several messages', [...history, next, user('six')], [next, user('six')]],
    [
      'all, where another answer is told',
      [user('three'), answer('4'), next],
      [user('three'), answer('4'), next],
    ],
    [
      'all, where another question is told',
      [user('3'), answer('four'), next],
      [user('3'), answer('four'), next],
    ],
    ['all, where an answer stands alone', [answer('four'), next], [answer('four'), next]],
    [
      'all, where only an older part is repeated',
      [...history.slice(0, 2), next],
      [...history.slice(0, 2), next],
    ],
    ['the same question asked again', [user('three')], [user('three')]],
    [
      'all, where the caller knows more than was ever kept',
      [user('zero'), answer('0'), ...history, next],
      [user('zero'), answer('0'), ...history, next],
    ],
    ['nothing, where nothing is new', history, []],
  ])('is %s', (_, said, fresh) => {
    expect(withoutRepeated(said, kept)).toEqual(fresh)
  })

  it('does not hang on the order of fields, spaces, spellings or markers', () => {
    const marked =
      '{ "content":[{"text":"fo\\u0075r","type":"text","cache_control":{"type":"ephemeral"}}],"role":"assistant"}'
    expect(withoutRepeated([user('three'), marked, next], kept)).toEqual([next])
  })

  it('is found also where the caller remembers what had to make room', () => {
    const short = talk(
      [
        ['one', 'two'],
        ['three', 'four'],
      ],
      120,
    )
    expect(short.dropped).toBe(1)
    expect(withoutRepeated([...history, next], short)).toEqual([next])
    expect(withoutRepeated([user('x'), answer('y'), next], short)).toHaveLength(3)
  })

  it('is all of it in a new conversation', () => {
    expect(withoutRepeated([...history, next], emptyConversation)).toHaveLength(5)
  })
})
