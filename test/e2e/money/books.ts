// Calls of many kinds for the tests of money, each with an end user of its own, so that the ledger's books can be laid
// beside the simulator's call by call.
import type { JournalEntry } from '../../../tools/simulator/journal.ts'
import { claudeCall } from '../../support/claude-call.ts'
import type { GatewayAddress } from '../../support/gateway.ts'
import { newTag } from '../../support/gateway-simulator.ts'
import { open, readAll, readUntil, send } from '../../support/raw-http.ts'

/** Nano-dollars a token of the model of these calls. */
export const INPUT_NANO_USD = 2_000
export const OUTPUT_NANO_USD = 10_000

export interface MoneyCall {
  readonly stream: boolean
  readonly tokens: number
  readonly maxTokens?: number
  readonly fault?: string
  /** Its caller leaves when the answer has begun. */
  readonly leaves?: boolean
}

export interface MadeCall extends MoneyCall {
  readonly tag: string
  readonly user: string
  readonly status: number
  readonly reason: string | null
  /** Empty where its caller left. */
  readonly text: string
}

let made = 0

export async function makeCall(
  { url }: Pick<GatewayAddress, 'url'>,
  key: string,
  call: MoneyCall,
): Promise<MadeCall> {
  const { stream, tokens, maxTokens = tokens, fault, leaves = false } = call
  made += 1
  const named = { ...call, tag: newTag(), user: `user-${made}` }
  // Two tokens a piece: what is on its way when a stream is cut is little.
  const pace = stream ? `[sim:gap=4][sim:deltas=${Math.ceil(tokens / 2)}]` : ''
  const request = claudeCall({
    key,
    tag: named.tag,
    prompt: `${made} [sim:tokens=${tokens}]${pace}`,
    fields: { stream, max_tokens: maxTokens },
    headers: [['sluice-user', named.user]],
    ...(fault === undefined ? {} : { fault }),
  })
  const { response, socket } = await open(url, { ...request, ownConnection: true })
  const { statusCode: status = 0, headers } = response
  const reason = headers['sluice-reason']
  const answer = { ...named, status, reason: typeof reason === 'string' ? reason : null }
  if (leaves && status === 200) {
    await readUntil(response, 'content_block_delta')
    socket.resetAndDestroy()
    return { ...answer, text: '' }
  }
  return { ...answer, text: (await readAll(response)).toString() }
}

export interface BookRow {
  readonly user: string
  readonly requests: number
  readonly input_tokens: number
  readonly output_tokens: number
  readonly cost_usd: number
}

export interface Books {
  readonly rows: readonly BookRow[]
  readonly spentNanoUsd: number
}

/** What the gateway says that a key's tenant has spent today. */
export async function booksOf({ url }: Pick<GatewayAddress, 'url'>, key: string): Promise<Books> {
  const answer = await send(url, {
    path: '/v1/usage?group_by=user',
    headers: [['x-api-key', key]],
  })
  const { data, spent_usd: spent } = JSON.parse(answer.body.toString()) as {
    data: BookRow[]
    spent_usd: { today: number }
  }
  return { rows: data, spentNanoUsd: Math.round(spent.today * 1e9) }
}

export const costOf = (inputTokens: number, outputTokens: number): number =>
  inputTokens * INPUT_NANO_USD + outputTokens * OUTPUT_NANO_USD

/** What Claude's side says that a call has used. */
export function usedOf({ usage, tokens }: JournalEntry): { input: number; output: number } {
  return { input: usage?.input_tokens ?? 0, output: tokens }
}
