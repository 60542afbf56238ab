// The ledgers in this process alone, for tests and for trying the flows without a database.
import type { UsageRecord } from '../../core/money/usage-record.ts'
import { sumUsage } from '../../core/money/usage-totals.ts'
import type { Ledgers, UsageReader } from '../../ports.ts'
import { LedgerHost } from '../ledger/ledger-host.ts'

export interface MemoryLedgers extends Ledgers, UsageReader {
  /** Every bill by its id. */
  readonly bills: ReadonlyMap<string, UsageRecord>
}

export function memoryLedgers({ now }: { readonly now: () => number }): MemoryLedgers {
  const hosts = new Map<string, LedgerHost>()
  const bills = new Map<string, UsageRecord>()
  const hostOf = (tenant: string): LedgerHost => {
    const known = hosts.get(tenant)
    if (known !== undefined) return known
    const host = new LedgerHost({
      now,
      store: {
        load: () => ({ record: null, leases: [], tokens: [] }),
        save: ({ unsaved }) => unsaved.usage.forEach((usage, id) => bills.set(id, usage)),
        hasCounted: (id) => bills.has(id),
      },
      writer: { soon: () => keep(host), write: () => keep(host), kept: async () => keep(host) },
    })
    hosts.set(tenant, host)
    return host
  }
  const keep = (host: LedgerHost): void => {
    host.save()
    host.saved()
  }
  return {
    bills,
    reserve: async (ask) => hostOf(ask.tenant).reserve(ask),
    renew: async (renewal) => hostOf(renewal.ask.tenant).renew(renewal),
    settle: (tenant, settlement) => hostOf(tenant).settle([settlement]),
    report: async (tenant, limits) => hostOf(tenant).report(limits),
    findUsage: async ({ tenant, from, to }) => {
      hostOf(tenant).advance()
      const own = [...bills.values()].filter((bill) => bill.tenant === tenant)
      return sumUsage(own).filter(({ day }) => day >= from && day <= to)
    },
  }
}
