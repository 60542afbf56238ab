// A turn that holds its session: it says that it is alive until it is kept whole or let go without a trace.
import { readUsage } from '../core/answering/usage.ts'
import {
  addTurn,
  type Conversation,
  emptyConversation,
  parseConversation,
  printConversation,
} from '../core/conversation/conversation.ts'
import { fieldOf, fieldsIn, readString } from '../core/conversation/json-parts.ts'
import { withoutRepeated } from '../core/conversation/repeated-history.ts'
import { CHAT_DEFAULTS, modelOf, type Said } from '../core/conversation/turn-request.ts'
import { GatewayError } from '../core/errors.ts'
import type { Services } from '../ports.ts'
import type { ClaimedTurn } from '../ports/sessions.ts'
import { storeFailed } from './session-access.ts'
import type { AskedTurn } from './take-turn.ts'

export interface OpenTurn {
  /** The conversation before it. */
  readonly before: Conversation
  /** What is said, without what the conversation has already. */
  readonly said: Said
  /** `sluice-session` and `sluice-turn`. */
  readonly headers: Readonly<Record<string, string>>
  /**
   * Keeps the turn with Claude's whole Message and the account that gave it, as far as that is known; the failure to
   * tell, or null: all is well.
   */
  keep(message: string, account: string | null): Promise<GatewayError | null>
  /** Nothing is kept; resolves once the session is free again, as far as its store can be told. Never throws. */
  letGo(): Promise<void>
}

export function openTurn(
  { sessions, config }: Services,
  asked: AskedTurn,
  { version, text }: Extract<ClaimedTurn, { kind: 'begun' }>,
): OpenTurn {
  const { key, scope } = asked
  const token = scope.requestId
  const before = text === null ? emptyConversation : parseConversation(text)
  const messages = withoutRepeated(asked.said.messages, before)
  // Nothing new at all: Claude shall say what is wrong with that.
  const said = messages.length === 0 ? asked.said : { ...asked.said, messages }
  const alive = setInterval(
    // A claim that could not be renewed ends by its time: another turn may then begin, and only one is kept.
    () => scope.defer(sessions.hold(key, token).catch(() => {})),
    config.gate.leaseRenewMs,
  )
  let isOver = false
  const decide = (): boolean => {
    if (isOver) return false
    isOver = true
    clearInterval(alive)
    return true
  }
  const letGo = async (): Promise<void> => {
    if (!decide()) return
    // Lost at worst: the claim then ends by its time.
    const released = sessions.release(key, token).catch(() => {})
    scope.defer(released)
    await released
  }
  return {
    before,
    said,
    headers: { 'sluice-session': key.id, 'sluice-turn': String(version + 1) },
    letGo,
    async keep(message, account) {
      if (isOver) return null
      // A refused turn would be refused again with every turn after it.
      if (readString(fieldOf(fieldsIn(message), 'stop_reason')) === 'refusal') {
        await letGo()
        return null
      }
      const { maxBytes } = config.session
      const after = conversationAfter(said, before, { message, account, maxBytes })
      decide()
      const { idempotencyKey, bodyHash, user } = asked
      const kept = await sessions
        .keep(key, {
          token,
          version,
          user,
          text: printConversation(after),
          model: after.model,
          replay: idempotencyKey === null ? null : { idempotencyKey, bodyHash, answer: message },
        })
        .catch((cause: unknown) => storeFailed(cause))
      if (kept instanceof GatewayError) return kept
      return kept
        ? null
        : new GatewayError('session_busy', 'The session changed or went during this turn')
    },
  }
}

function conversationAfter(
  said: Said,
  before: Conversation,
  { message, account, maxBytes }: { message: string; account: string | null; maxBytes: number },
): Conversation {
  const usage = readUsage(JSON.parse(fieldOf(fieldsIn(message), 'usage') ?? '{}'))
  return addTurn(
    before,
    {
      model: modelOf(said, before, CHAT_DEFAULTS),
      account: account ?? before.account,
      system: said.system ?? before.system,
      said: said.messages,
      answer: message,
      usage: {
        inputTokens: usage.inputTokens,
        outputTokens: usage.outputTokens,
        cacheWriteTokens: usage.cacheWrite5mTokens + usage.cacheWrite1hTokens,
        cacheReadTokens: usage.cacheReadTokens,
      },
    },
    maxBytes,
  )
}
