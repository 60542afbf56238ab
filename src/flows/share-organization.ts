// Accounts that turn out to belong to one organization draw on the same limits: what an answer to one says of an empty
// bucket, or of a 429, holds for the others. Gates are told once that they share, and when there is such news; then only.
import type { RateObservation } from '../core/admission/admission.ts'
import type { Account } from '../core/answering/account.ts'
import { modelClass } from '../core/answering/model-class.ts'
import type { Services } from '../ports.ts'
import { type AccountKnowledge, knowledgeOf } from './account-knowledge.ts'
import type { Held } from './ask-gate.ts'
import type { Call } from './call.ts'
import type { AttemptEnd } from './settle-call.ts'

/** The organization where this isolate had not heard of it yet: the account's own gate is told once. */
export function shareOrganization(
  services: Services,
  call: Call,
  held: Held,
  end: AttemptEnd,
): string | undefined {
  const { organization } = end
  if (organization === null) return undefined
  const { account } = held
  const knowledge = knowledgeOf(services)
  const isNew = knowledge.belongs(account.id, organization)
  if (isNew || isExhausted(end)) {
    const others = knowledge.sharersOf(account.id)
    if (others.length > 0) {
      if (isNew) {
        call.scope.defer(introduce(services, call, { account, others, organization }))
        services.log({
          event: 'accounts_share_organization',
          organization,
          accounts: [account.id, ...others].join(','),
        })
      }
      call.scope.defer(tellOthers(services, call, { account: account.id, others, end }))
    }
  }
  return isNew ? organization : undefined
}

/** Its own gate hears of the others; theirs hear of it with the news. */
async function introduce(
  services: Services,
  call: Call,
  news: {
    readonly account: Account
    readonly others: readonly string[]
    readonly organization: string
  },
): Promise<void> {
  const { account, others, organization } = news
  const nothing = { modelClass: modelClass(call.model), rate: null, retryAfterMs: null }
  await Promise.all(
    others.map((other) =>
      services.gates.observe(account, { account: other, organization, ...nothing }),
    ),
  )
}

interface News {
  readonly account: string
  readonly others: ReturnType<AccountKnowledge['sharersOf']>
  readonly end: AttemptEnd
}

async function tellOthers(
  services: Services,
  call: Call,
  { account, others, end }: News,
): Promise<void> {
  const accounts = await services.accounts.usable()
  const { outcome, rate, organization } = end
  if (organization === null) return
  const isUsedUp = isExhausted(end)
  await Promise.all(
    accounts
      .filter(({ id }) => others.includes(id))
      .map((other) =>
        services.gates.observe(other, {
          account,
          organization,
          modelClass: modelClass(call.model),
          rate: isUsedUp ? rate : null,
          retryAfterMs: outcome.kind === 'throttled' ? outcome.retryAfterMs : null,
        }),
      ),
  )
}

const isExhausted = ({ outcome, rate }: AttemptEnd): boolean =>
  outcome.kind === 'throttled' || (rate !== null && isEmpty(rate))

const isEmpty = ({ requests, inputTokens, outputTokens, tokens }: RateObservation): boolean =>
  [requests, inputTokens, outputTokens, tokens].some((dimension) => dimension?.remaining === 0)
