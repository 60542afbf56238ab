// Seeded faults of the flows: what a call does before, between and after its attempts.
import type { Mutant } from './mutant.ts'

const CALL = 'test/unit/flows/answer-call.test.ts'
const ACCOUNTS = 'test/unit/flows/accounts.test.ts'
const WATCH = 'test/unit/flows/watch.test.ts'

export const flowMutants: readonly Mutant[] = [
  {
    fault: 'release only in `finally`: a request that its caller resets ends with its lease',
    file: 'src/flows/answer-call.ts',
    from: 'call.scope.defer(over.promise)',
    to: 'void over.promise',
    killedBy: [
      'test/e2e/leaving/leaving.test.ts',
      'before the first byte of the answer give their leases back',
    ],
  },
  {
    fault: 'release only in `finally`: nobody listens for the caller who leaves',
    file: 'src/flows/watch.ts',
    from: "else options.callerSignal.addEventListener('abort', this.#callerGone)",
    to: '',
    killedBy: [CALL, 'whose caller leaves'],
  },
  {
    fault: 'retry after the first byte',
    file: 'src/flows/render-answer.ts',
    from: 'settleCall(services, call, held, endOfStream(services, call, verdict, end))',
    to: `settleCall(services, call, held, endOfStream(services, call, verdict, end))
      const { method, target, headers, body } = call
      const { signal } = call.scope
      if (end.kind === 'broken') {
        void services.upstream.send(held.account, { method, target, headers, body, signal, onConnected: () => {} })
      }`,
    killedBy: [CALL, 'after the first event is never tried again'],
  },
  {
    fault: 'retry without budget: no gate is told that a call is one',
    file: 'src/flows/ask-gate.ts',
    from: 'attempt: this.#attempt,',
    to: 'attempt: 1,',
    killedBy: [CALL, 'costs at most 1.3 calls upstream'],
  },
  {
    fault: 'retry at the account that has just failed',
    file: 'src/flows/next-account.ts',
    from: 'if (untried.length > 0) {',
    to: 'if (untried.length < 0) {',
    killedBy: [CALL, 'is tried again at another account'],
  },
  {
    fault: 'retries on top of those of a client that retries by itself',
    file: 'src/flows/next-account.ts',
    from: ' || call.isClientRetry) return null',
    to: ') return null',
    killedBy: [CALL, 'for a client that says that it retries by itself'],
  },
  {
    fault: 'trusting `retry-after` on a 200',
    file: 'src/flows/judge-attempt.ts',
    from: "headers.delete('retry-after')",
    to: '',
    killedBy: [CALL, 'on a 200 means nothing'],
  },
  {
    fault: '`retry-after` of a 429 is not waited for',
    file: 'src/core/answering/retry.ts',
    from: 'failedAt + (retryAfterMs ?? 0) - now',
    to: 'failedAt - now',
    killedBy: [CALL, 'of a 429 is waited for'],
  },
  {
    fault: 'a slot is given away while Claude still counts the call that we cut',
    file: 'src/flows/settle-call.ts',
    from: 'end.severed ? pause(NOTICED_AFTER_MS)',
    to: 'end.severed ? Promise.resolve()',
    killedBy: [CALL, 'that we cut is free once'],
  },
  {
    fault: 'a stream that is cut after its 200 counts as served',
    file: 'src/flows/judge-attempt.ts',
    from: "end.kind === 'broken' ? outcomeOf(end.cause) : { kind: 'served' }",
    to: "{ kind: 'served' }",
    killedBy: [CALL, 'by being cut after its first event is a failure'],
  },
  {
    fault: 'a caller that leaves counts against the account',
    file: 'src/flows/judge-attempt.ts',
    from: "endWith(call, { kind: 'ignored' }, spentOf(attempt.meter))",
    to: "endWith(call, { kind: 'failed', cause: 'connection' }, spentOf(attempt.meter))",
    killedBy: [CALL, 'by its caller leaving is nothing'],
  },
  {
    fault: 'denied uses up: a request that the gate refuses is not given back to the windows',
    file: 'src/flows/enter-call.ts',
    from: 'call.scope.defer(services.limits.refund(call.caller))',
    to: '',
    killedBy: [CALL, 'of the request windows, when the gate refuses'],
  },
  {
    fault: 'denied uses up: a lease stays held that came beside a refusal of the windows',
    file: 'src/flows/enter-call.ts',
    from: 'call.scope.defer(giveBackLease(services, found))',
    to: '',
    killedBy: [CALL, 'when the request windows refuse after the gate has agreed'],
  },
  {
    fault: 'a caller that leaves while it waits keeps its place and the slot that comes',
    file: 'src/flows/ask-gate.ts',
    from: 'scope.defer(giveBack(this.#services, account, ticket, pending))',
    to: '',
    killedBy: [ACCOUNTS, 'leaves every queue when its caller leaves'],
  },
  {
    fault: 'a call that waits at two accounts keeps both their slots',
    file: 'src/flows/admit-call.ts',
    from: 'call.scope.defer(settleUnused(services, entrance.held.account, entrance.held.lease))',
    to: 'void settleUnused',
    killedBy: [ACCOUNTS, 'ends once, though both accounts have a slot at the same moment'],
  },
  {
    fault: 'a lease is never renewed',
    file: 'src/flows/watch.ts',
    from: 'void this.#options.renew(progress).then(this.#renewed)',
    to: 'void progress',
    killedBy: [WATCH, 'is renewed while the call lives'],
  },
  {
    fault: 'a call goes on though no gate confirms its lease',
    file: 'src/flows/watch.ts',
    from: 'return this.#heldUntil < first.at ?',
    to: 'return this.#heldUntil < 0 ?',
    killedBy: [WATCH, 'that no gate confirms ends its call'],
  },
]
