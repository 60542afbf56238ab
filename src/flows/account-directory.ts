// The accounts that this isolate knows: those of the settings and those of the store. On a warm path it answers at once;
// an old list is read again, by one request for all of them, and a store that is down leaves what was known.
import type { Config } from '../config.ts'
import type { Account, UnusableAccount } from '../core/answering/account.ts'
import { mergeAccounts, type OpenedAccount } from '../core/answering/account-list.ts'
import type { AccountDirectory, AccountStore, LogLine } from '../ports.ts'
import { peppersOf } from './hash-key.ts'
import type { Defer } from './read-through.ts'
import { createCredentialSealer, type CredentialSealer } from './seal-credential.ts'

export interface AccountDirectoryOptions {
  readonly store: AccountStore
  readonly sealer: CredentialSealer
  readonly settings: readonly Account[]
  /** For accounts that name none. */
  readonly baseUrl: string
  /** How long a list is trusted: a change holds everywhere after that and one read. */
  readonly cacheMs: number
  readonly now: () => number
  readonly log: (line: LogLine) => void
  readonly readTimeoutMs?: number
}

const READ_TIMEOUT_MS = 2_000
/** A list in use is read again before its time is over, so that no request waits for it. */
const REFRESH_SHARE = 0.8
/** After a read that failed nobody waits for the next ones, which come this often. */
const RETRY_MS = 1_000

type Freshness = Parameters<AccountStore['listAccounts']>[0]

interface Reading {
  readonly startedAt: number
  /** True: the list is fresh now. Never rejects. */
  readonly done: Promise<boolean>
}

export function createAccountDirectory(options: AccountDirectoryOptions): AccountDirectory {
  const { store, settings, baseUrl, cacheMs, now, log } = options
  const readTimeoutMs = options.readTimeoutMs ?? READ_TIMEOUT_MS
  const open = createOpener(options)
  let known: readonly Account[] = settings
  let unusable: readonly UnusableAccount[] = []
  /** When the read of `known` began: a change after that is seen at the next one. */
  let readAt = -Infinity
  let failedAt: number | null = null
  let reading: Reading | null = null
  // Reads are numbered: an older one that answers later says nothing new.
  let started = 0
  let learnt = 0

  const learn = async (freshness: Freshness, startedAt: number): Promise<boolean> => {
    started += 1
    const number = started
    try {
      const { accounts, unreadable } = await store.listAccounts(freshness)
      const opened = await Promise.all(accounts.map((stored) => open(stored)))
      if (number < learnt) return true
      learnt = number
      readAt = startedAt
      failedAt = null
      const broken = opened.flatMap((each) => ('problem' in each ? [each] : []))
      const usable = opened.flatMap((each) => ('problem' in each ? [] : [each]))
      known = mergeAccounts(settings, usable, baseUrl)
      sayUnusable([...unreadable, ...broken])
      return true
    } catch (error) {
      if (number < learnt) return false
      if (failedAt === null) log({ event: 'accounts_unreadable', error: String(error) })
      failedAt = now()
      return false
    }
  }

  const sayUnusable = (found: readonly UnusableAccount[]): void => {
    const said = new Set(unusable.map(({ id, problem }) => `${id} ${problem}`))
    for (const { id, problem } of found) {
      if (!said.has(`${id} ${problem}`)) log({ event: 'account_unusable', account: id, problem })
    }
    unusable = found
  }

  const start = (freshness: Freshness = 'nearest'): Reading => {
    const startedAt = now()
    const own: Reading = { startedAt, done: learn(freshness, startedAt) }
    reading = own
    void own.done.then(() => {
      if (reading === own) reading = null
    })
    return own
  }

  /** One that another request began, unless that request seems to be gone, and its read with it. */
  const current = (): Reading | null =>
    reading !== null && now() - reading.startedAt < readTimeoutMs ? reading : null

  const isFresh = (): boolean => now() >= readAt && now() - readAt < cacheMs

  const wait = async (defer: Defer | undefined): Promise<readonly Account[]> => {
    const others = current()
    if (others !== null) {
      await within(readTimeoutMs, others.done)
      if (isFresh() || failedAt !== null) return known
    }
    const own = current() ?? start()
    defer?.(own.done)
    if ((await within(readTimeoutMs, own.done)) === null && failedAt === null) {
      failedAt = now()
      log({ event: 'accounts_unreadable', error: `no answer within ${readTimeoutMs} ms` })
    }
    return known
  }

  return {
    usable(defer) {
      if (isFresh()) {
        const isAging = now() - readAt >= cacheMs * REFRESH_SHARE
        if (isAging && defer !== undefined && current() === null) defer(start().done)
        return known
      }
      if (failedAt === null) return wait(defer)
      // The store is down: what was known goes on, and a read in the background finds the end of it.
      if (now() - failedAt >= RETRY_MS && current() === null) {
        const { done } = start()
        defer?.(done)
      }
      return known
    },
    async refresh() {
      await within(readTimeoutMs, start('newest').done)
    },
  }
}

/** The directory as the settings want it. */
export const openAccountDirectory = (
  { accounts, baseUrl, keys }: Config,
  parts: Pick<AccountDirectoryOptions, 'store' | 'now' | 'log'>,
): AccountDirectory =>
  createAccountDirectory({
    ...parts,
    sealer: createCredentialSealer(peppersOf(keys)),
    settings: accounts,
    baseUrl,
    cacheMs: keys.cacheMs,
  })

type Opened = OpenedAccount | UnusableAccount

/** Opens each credential once for the isolate. */
function createOpener({ sealer, store, log }: AccountDirectoryOptions) {
  const opened = new Map<string, { readonly bound: string; readonly apiKey: string }>()
  return async (stored: OpenedAccount['stored']): Promise<Opened> => {
    const { id, sealedKey, baseUrl } = stored
    if (sealedKey === null) return { stored, apiKey: null }
    const bound = JSON.stringify([sealedKey, baseUrl])
    const before = opened.get(id)
    if (before?.bound === bound) return { stored, apiKey: before.apiKey }
    const result = await sealer.open(sealedKey, { id, baseUrl })
    if (result.kind === 'unreadable') return { id, problem: result.problem }
    opened.set(id, { bound, apiKey: result.credential })
    if (!result.isCurrent) {
      // The pepper was replaced: the credential moves over before the former one goes. Another read tries again.
      const to = await sealer.seal(result.credential, { id, baseUrl })
      await store.resealAccount(id, { from: sealedKey, to }).catch((error: unknown) => {
        opened.delete(id)
        log({ event: 'account_not_resealed', account: id, error: String(error) })
      })
    }
    return { stored, apiKey: result.credential }
  }
}

/** Null: not within that time. */
async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), timeoutMs)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
