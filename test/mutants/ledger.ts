// Seeded faults of the tenant's ledger: its core, its shell, its adapter and the flows that keep to it.
import type { Mutant } from './mutant.ts'

const CORE = 'src/core/money/ledger'
const UNIT = 'test/unit/money'
const FLOWS = 'test/unit/flows'

export const ledgerMutants: readonly Mutant[] = [
  {
    fault: 'ledger: settled twice, counted twice',
    file: `${CORE}/ledger.ts`,
    from: 'if (lease === undefined && lost === undefined && ledger.ended.has(id)) return',
    to: '',
    killedBy: [`${UNIT}/ledger.test.ts`, 'is counted once, however often its end is told'],
  },
  {
    fault: 'ledger: a call that nobody speaks for frees its place without a bill',
    file: `${CORE}/ledger.ts`,
    from: 'bill(ledger, { id, usage: billed, token })',
    to: '',
    killedBy: [`${UNIT}/ledger.test.ts`, 'that nobody speaks for is billed by estimate'],
  },
  {
    fault: 'ledger: a call that nobody speaks for keeps its place for ever',
    file: `${CORE}/ledger.ts`,
    from: 'if (lease.expiresAt <= now) lose(ledger, lease, now)',
    to: 'void lease',
    killedBy: [`${UNIT}/ledger.test.ts`, 'frees its slot when its time is over'],
  },
  {
    fault: 'ledger: the real bill is added to the estimate',
    file: `${CORE}/ledger.ts`,
    from: 'usage: correction, token: lost.token',
    to: 'usage: usage ?? nothing(lost.billed), token: lost.token',
    killedBy: [`${UNIT}/ledger.test.ts`, 'by its real bill when that comes after all'],
  },
  {
    fault: 'ledger: a renewal that arrives after the end opens the call again',
    file: `${CORE}/ledger.ts`,
    from: "if (ledger.ended.has(ask.id)) return { kind: 'ended' }",
    to: '',
    killedBy: [`${UNIT}/ledger.test.ts`, 'whose lease a crash took is taken over at its renewal'],
  },
  {
    fault: 'ledger: a question takes what it asks about',
    file: `${CORE}/ledger.ts`,
    from: 'if (ask.dry !== true && !ledger.ended.has(ask.id)) take',
    to: 'take',
    killedBy: ['test/contract/ledgers-memory.test.ts', 'only tell what would refuse'],
  },
  {
    fault: 'ledger: a call that is refused elsewhere uses up a request of its browser token',
    file: `${CORE}/ledger.ts`,
    from: 'ask.token === null || !unused ? undefined',
    to: 'ask.token === null || unused ? undefined',
    killedBy: [`${UNIT}/ledger.test.ts`, 'that comes from elsewhere gives everything back'],
  },
  {
    fault: 'ledger: one call more than may run at a time',
    file: `${CORE}/reserve.ts`,
    from: 'ledger.leases.size < limit',
    to: 'ledger.leases.size <= limit',
    killedBy: [`${UNIT}/ledger.test.ts`, 'holds its limit'],
  },
  {
    fault: 'ledger: what running calls may cost holds nobody back',
    file: `${CORE}/purse.ts`,
    from: 'return purse.heldNanoUsd + holdNanoUsd - largest <= left',
    to: 'return left > 0',
    killedBy: [`${UNIT}/ledger.properties.test.ts`, 'by at most the cost of one call'],
  },
  {
    fault: 'ledger: with money left a call is blocked by what it might cost',
    file: `${CORE}/purse.ts`,
    from: 'return purse.heldNanoUsd + holdNanoUsd - largest <= left',
    to: 'return purse.heldNanoUsd + holdNanoUsd <= left',
    killedBy: [`${UNIT}/ledger.test.ts`, 'with some left a call goes, whatever its'],
  },
  {
    fault: 'ledger: the first streams take most of what is left',
    file: `${CORE}/purse.ts`,
    from: '(SLICE * (purse.calls + 1))',
    to: '4',
    killedBy: [`${UNIT}/ledger.test.ts`, 'of many streams at once, that are longer'],
  },
  {
    fault: 'ledger: a stream is not told what the others have used',
    file: `${CORE}/purse.ts`,
    from: 'purse.budgetNanoUsd - purse.spentNanoUsd - purse.runningNanoUsd',
    to: 'purse.budgetNanoUsd - purse.spentNanoUsd',
    killedBy: [
      'test/contract/ledgers-memory.test.ts',
      'lend a stream no more than the others leave',
    ],
  },
  {
    fault: 'ledger: the dollars of a browser token are not counted',
    file: `${CORE}/bill.ts`,
    from: 'use.nanoUsd += usage.costNanoUsd',
    to: '',
    killedBy: [`${UNIT}/ledger.test.ts`, 'may spend so much, whatever its tenant has left'],
  },
  {
    fault: 'ledger: at the end of a budget a crash forgets who was let in',
    file: 'src/adapters/ledger/ledger-host.ts',
    from: "answer.kind === 'granted' && isNearTheEnd(this.#ledger, ask, answer)",
    to: 'false',
    killedBy: [`${UNIT}/ledger-model.test.ts`, 'in every order of'],
  },
  {
    fault: 'ledger: a bill that could not be told is forgotten',
    file: 'src/adapters/cloudflare/ledgers.ts',
    from: 'untold.keep(tenant, bills)',
    to: '',
    killedBy: [
      `${UNIT}/cloudflare-ledgers.test.ts`,
      "that could not be told goes with the tenant's next",
    ],
  },
  {
    fault: 'ledger: one that cannot be reached lets everybody in',
    file: 'src/flows/judge-tenant.ts',
    from: 'return needsLedger(call.tab.ask) ? ledgerUnavailable() : null',
    to: 'return null',
    killedBy: [`${FLOWS}/ledger-unreachable.test.ts`, 'a tenant with a budget of the day'],
  },
  {
    fault: 'ledger: a stream goes on beyond its allowance',
    file: 'src/flows/relay-stream.ts',
    from: 'if (spending?.isDue === true && !(await this.#mayGoOn(spending))) return',
    to: '',
    killedBy: [`${FLOWS}/spending.test.ts`, 'a stream that crosses the budget of the day'],
  },
  {
    fault: 'ledger: a stream that is cut goes on at Claude',
    file: 'src/flows/relay-stream.ts',
    from: "watch.interrupt('budget_spent')\n    reader.cancel().catch(() => {})",
    to: '',
    killedBy: [`${FLOWS}/spending.test.ts`, 'a stream that crosses the budget of the day'],
  },
  {
    fault: 'ledger: without an answer a stream at its allowance goes on',
    file: 'src/flows/spending.ts',
    from: 'return ledgerUnavailable()',
    to: 'return null',
    killedBy: [`${FLOWS}/spending.test.ts`, 'does not go on without its ledger'],
  },
]
