// The same call with its tier's cheaper model: only the model's name is another, every other byte stays. What it uses is
// counted for the model that answers.
import type { Account } from '../core/answering/account.ts'
import { serving } from '../core/answering/routing.ts'
import { mayUseModel } from '../core/keys/allowed-models.ts'
import type { Call } from './call.ts'
import { concat } from './read-body.ts'

/** null: this call goes as it is, or not at all. */
export function downgradeCall(call: Call, accounts: readonly Account[]): Call | null {
  const { body, caller, kind, model, modelSpan } = call
  const { onOverload, downgradeTo } = caller.tier
  if (onOverload !== 'downgrade' || downgradeTo === null || downgradeTo === model) return null
  if (body === null || modelSpan === null || !mayUseModel(caller, downgradeTo)) return null
  if (kind !== 'messages' && kind !== 'chat_completions') return null
  if (serving(accounts, downgradeTo).length === 0) return null
  // A thread goes on with the model that it began with.
  if (call.usesThread) return null
  const name = new TextEncoder().encode(JSON.stringify(downgradeTo))
  const parts = [body.subarray(0, modelSpan.start), name, body.subarray(modelSpan.end)]
  const size = body.length - (modelSpan.end - modelSpan.start) + name.length
  return {
    ...call,
    model: downgradeTo,
    body: concat(parts, size),
    // The spans are those of the former body.
    modelSpan: null,
    prompt: null,
    markers: null,
  }
}
