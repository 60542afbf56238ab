// Who calls: the key from the headers, checked offline, then against what its store says. An isolate trusts what
// it has read for a short while, which is also the bound on revocation.
import { readApiKey } from '../core/keys/api-key.ts'
import { equalInConstantTime } from '../core/keys/constant-time.ts'
import type { Caller, KeyStore, StoredKey } from '../ports.ts'
import { createKeyHasher } from './hash-key.ts'
import { createReadThrough, type Defer } from './read-through.ts'

export type KeyRefusal =
  | 'key_missing'
  | 'key_malformed'
  | 'key_unknown'
  | 'key_revoked'
  | 'key_expired'
  | 'tenant_disabled'
  | 'store_unavailable'

export type AuthResult =
  | { readonly kind: 'caller'; readonly caller: Caller }
  | { readonly kind: 'refused'; readonly reason: KeyRefusal }

export interface AuthenticatorOptions {
  readonly keys: Pick<KeyStore, 'findKey'>
  readonly pepper: string
  readonly cacheMs: number
  readonly now: () => number
  /** Keys that an isolate remembers, and as many that do not exist. */
  readonly maxEntries?: number
  readonly readTimeoutMs?: number
}

/** `defer` keeps a shared read alive when the caller that began it leaves. */
export type Authenticator = (headers: Headers, defer?: Defer) => Promise<AuthResult>

const MAX_ENTRIES = 10_000
const READ_TIMEOUT_MS = 2_000
/** Compared with where there is no such key, so that both cases cost the same. */
const NO_HASH = '0'.repeat(64)

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const hashKey = createKeyHasher(options.pepper)
  const known = createReadThrough<StoredKey | null>({
    read: (keyId) => options.keys.findKey(keyId),
    isAbsent: (key) => key === null,
    now: options.now,
    cacheMs: options.cacheMs,
    maxEntries: options.maxEntries ?? MAX_ENTRIES,
    readTimeoutMs: options.readTimeoutMs ?? READ_TIMEOUT_MS,
  })
  return async (headers, defer) => {
    const read = readApiKey(presentedKey(headers))
    if (read.kind !== 'key') return refused(`key_${read.kind}`)
    const [hash, found] = await Promise.all([
      hashKey(read.key.text),
      known.find(read.key.id, defer).catch(() => 'unavailable' as const),
    ])
    if (found === 'unavailable') return refused('store_unavailable')
    const isRight = equalInConstantTime(hash, found?.secretHash ?? NO_HASH)
    if (found === null || !isRight) return refused('key_unknown')
    const reason = refusalOf(found, options.now())
    return reason === null ? { kind: 'caller', caller: toCaller(found) } : refused(reason)
  }
}

/** With both headers, `x-api-key` counts. */
function presentedKey(headers: Headers): string | null {
  const apiKey = headers.get('x-api-key')
  if (apiKey !== null && apiKey !== '') return apiKey
  return /^bearer +(\S.*)$/i.exec(headers.get('authorization') ?? '')?.[1] ?? null
}

/** Only told to one who holds the key. */
function refusalOf(key: StoredKey, now: number): KeyRefusal | null {
  if (key.disabled) return 'key_revoked'
  if (key.expiresAt !== null && key.expiresAt <= now) return 'key_expired'
  return key.tenantDisabled ? 'tenant_disabled' : null
}

function toCaller({ tenant, keyId, tier, models, origins, limitsFail }: StoredKey): Caller {
  return { tenant, keyId, tier, models, origins, limitsFail }
}

function refused(reason: KeyRefusal): AuthResult {
  return { kind: 'refused', reason }
}
