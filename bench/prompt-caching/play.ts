// Plays conversations turn by turn as sessions of a gateway, and adds up what Claude says that their input was.
import { readUsage } from '../../src/core/answering/usage.ts'
import { costOf } from '../../src/core/money/cost.ts'
import type { Conversation } from './conversations.ts'

export interface Play {
  readonly url: string
  readonly key: string
  readonly model: string
  /** Empty: none. */
  readonly system: string
  /** Conversations at once; the turns of one follow each other. */
  readonly atOnce: number
}

export interface Input {
  turns: number
  tokens: number
  readTokens: number
  /** As it was billed. */
  nanoUsd: number
  /** As it would be billed if nothing were ever kept. */
  plainNanoUsd: number
}

interface Answer {
  readonly usage: {
    readonly input_tokens: number
    readonly cache_creation_input_tokens: number
    readonly cache_read_input_tokens: number
  }
}

export async function play(conversations: readonly Conversation[], how: Play): Promise<Input> {
  const sum: Input = { turns: 0, tokens: 0, readTokens: 0, nanoUsd: 0, plainNanoUsd: 0 }
  const waiting = [...conversations]
  const playNext = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      await playOne(next, how, sum)
    }
  }
  await Promise.all(Array.from({ length: how.atOnce }, playNext))
  return sum
}

async function playOne(turns: Conversation, how: Play, sum: Input): Promise<void> {
  let session: string | null = null
  for (const { say, answerTokens } of turns) {
    const response: Response = await fetch(`${how.url}/v1/chat`, {
      method: 'POST',
      headers: { 'x-api-key': how.key, 'content-type': 'application/json' },
      body: JSON.stringify({
        ...(session === null ? {} : { session_id: session }),
        ...(session === null && how.system !== '' ? { system: how.system } : {}),
        model: how.model,
        max_tokens: Math.max(1, answerTokens),
        message: `${say} [sim:tokens=${answerTokens}]`,
      }),
    })
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`)
    session = response.headers.get('sluice-session')
    const { usage } = (await response.json()) as Answer
    const cost = costOf(how.model, readUsage({ ...usage, output_tokens: 0 }))
    const read = usage.cache_read_input_tokens
    sum.turns += 1
    sum.tokens += usage.input_tokens + usage.cache_creation_input_tokens + read
    sum.readTokens += read
    sum.nanoUsd += cost.costNanoUsd
    sum.plainNanoUsd += cost.costNanoUsd + cost.savedNanoUsd
  }
}
