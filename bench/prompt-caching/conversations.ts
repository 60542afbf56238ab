// Real conversations, recorded by others and read from beside the repository, as the turns that a session is asked.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const DATA = join(import.meta.dirname, '../../../shared/data')
const BYTES_PER_TOKEN = 4
/** Where no answer was recorded: about what the recorded ones have. */
const USUAL_ANSWER_TOKENS = 250

export interface AskedTurn {
  readonly say: string
  /** The simulator answers at the recorded answer's length. */
  readonly answerTokens: number
}
export type Conversation = readonly AskedTurn[]

export const hasConversations = existsSync(DATA)

/** 95 of people with an assistant (Open Assistant) and 80 questions of two turns (MT-Bench). */
export const readConversations = (): readonly Conversation[] => [
  ...linesOf('open-assistant-eval/oa_conversations.jsonl').map((line) =>
    turnsOf((line as { messages: readonly Message[] }).messages),
  ),
  ...linesOf('mt-bench/mt_bench_question.jsonl').map((line) =>
    (line as { turns: readonly string[] }).turns.map((say) => ({
      say,
      answerTokens: USUAL_ANSWER_TOKENS,
    })),
  ),
]

interface Message {
  readonly role: string
  readonly content: string
}

const linesOf = (path: string): readonly unknown[] =>
  readFileSync(join(DATA, path), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown)

const turnsOf = (messages: readonly Message[]): Conversation =>
  messages.flatMap(({ role, content }, at) => {
    if (role !== 'user') return []
    const answer = messages[at + 1]?.content ?? ''
    const tokens = Math.ceil(Buffer.byteLength(answer) / BYTES_PER_TOKEN)
    return [{ say: content, answerTokens: tokens || USUAL_ANSWER_TOKENS }]
  })

/** A system prompt of an app, so long: the same for all of its conversations. */
export function handbook(tokens: number): string {
  const bytes = tokens * BYTES_PER_TOKEN
  let text = ''
  for (let rule = 1; text.length < bytes; rule += 1) {
    text += `Rule ${rule}. When a customer of branch ${(rule * 37) % 101} asks about order ${(rule * 7919) % 99991}, answer in one paragraph, name the source, and never promise a date. `
  }
  return text.slice(0, bytes)
}
