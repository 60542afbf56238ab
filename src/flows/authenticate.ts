// Who calls: the key or the browser token from the headers, checked offline, then against what the key's store says.
// An isolate trusts what it has read for a short while, which is also the bound on revocation, of tokens too.
import { BROWSER_TOKEN_PREFIX, type TokenGrant } from '../core/keys/browser-token.ts'
import { readApiKey } from '../core/keys/api-key.ts'
import { equalInConstantTime } from '../core/keys/constant-time.ts'
import { BoundedMap } from '../core/limits/bounded-map.ts'
import type { Caller, KeyStore, StoredKey } from '../ports.ts'
import { createKeyHasher } from './hash-key.ts'
import { createReadThrough, type Defer, type ReadThrough } from './read-through.ts'
import type { TokenSeal } from './seal-token.ts'

export type KeyRefusal =
  | 'key_missing'
  | 'key_malformed'
  | 'key_unknown'
  | 'key_revoked'
  | 'key_expired'
  | 'token_malformed'
  | 'token_unknown'
  | 'token_expired'
  | 'tenant_disabled'
  | 'store_unavailable'

export type AuthResult =
  | { readonly kind: 'caller'; readonly caller: Caller }
  | { readonly kind: 'refused'; readonly reason: KeyRefusal }

export interface AuthenticatorOptions {
  readonly keys: Pick<KeyStore, 'findKey' | 'replaceHash'>
  readonly seal: TokenSeal
  /** The current one first. A key that is known under another is stored anew. */
  readonly peppers: readonly string[]
  readonly cacheMs: number
  readonly now: () => number
  /** Keys that an isolate remembers, and as many that do not exist. */
  readonly maxEntries?: number
  readonly readTimeoutMs?: number
}

export interface Circumstances {
  /** Keeps a shared read alive when the caller that began it leaves. */
  readonly defer?: Defer
  /** True: a key that this isolate does not remember is none, and the store is not asked. */
  readonly onlyKnown?: boolean
}

export type Authenticator = (headers: Headers, around?: Circumstances) => Promise<AuthResult>

const MAX_ENTRIES = 10_000
const READ_TIMEOUT_MS = 2_000
/** Compared with where there is no such key, so that both cases cost the same. */
const NO_HASH = '0'.repeat(64)

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const hashers = options.peppers.map(createKeyHasher)
  const renewed = new BoundedMap<true>(MAX_ENTRIES)
  const reads = {
    isAbsent: (key: StoredKey | null) => key === null,
    now: options.now,
    cacheMs: options.cacheMs,
    maxEntries: options.maxEntries ?? MAX_ENTRIES,
    readTimeoutMs: options.readTimeoutMs ?? READ_TIMEOUT_MS,
  }
  const known = createReadThrough<StoredKey | null>({
    ...reads,
    read: (keyId) => options.keys.findKey(keyId),
  })
  /** By a key's id and the hash that it does not have: what its store said when it was asked for that. */
  const doubted = createReadThrough<StoredKey | null>({
    ...reads,
    isAbsent: () => true,
    read: (doubt) => options.keys.findKey(doubt.slice(0, doubt.indexOf(' '))),
  })
  /**
   * A wrong secret costs what an unknown key does: one read, remembered. So time does not tell which ids there are, and
   * the new secret of a key that was rotated a moment ago is good at once.
   */
  const findByHash = async (id: string, hashes: readonly string[], around: Circumstances) => {
    const isRemembered = known.peek(id) !== undefined
    const found = await findIn(known, id, around)
    if (found === 'unavailable' || found === null || matchOf(found, hashes) !== null) return found
    const doubt = `${id} ${hashes[0]}`
    if (isRemembered) return findIn(doubted, doubt, around)
    doubted.keep(doubt, found)
    return found
  }
  const checkKey = async (presented: string | null, around: Circumstances): Promise<AuthResult> => {
    const read = readApiKey(presented)
    if (read.kind !== 'key') return refused(`key_${read.kind}`)
    const hashes = await Promise.all(hashers.map((hash) => hash(read.key.text)))
    const found = await findByHash(read.key.id, hashes, around)
    if (found === 'unavailable') return refused('store_unavailable')
    const match = matchOf(found, hashes)
    if (found === null || match === null) return refused('key_unknown')
    if (match === 'former' && (found.former?.until ?? 0) <= options.now()) {
      return refused('key_expired')
    }
    const [current] = hashes
    if (match === 'previous_pepper' && current !== undefined) {
      around.defer?.(renewHash(found, current))
    }
    return letIn(found, options.now())
  }
  /** Best effort, and once here: the next isolate that meets this key tries again. */
  const renewHash = async ({ keyId, secretHash: from }: StoredKey, to: string): Promise<void> => {
    if (renewed.get(keyId) === true) return
    renewed.set(keyId, true)
    await options.keys.replaceHash(keyId, { from, to, at: options.now() }).catch(() => {
      renewed.delete(keyId)
    })
  }
  const checkToken = async (text: string, around: Circumstances): Promise<AuthResult> => {
    const opened = await options.seal.open(text)
    if (opened.kind !== 'token') return refused(`token_${opened.kind}`)
    const { tenant, keyId, grant } = opened.token
    // Its signature is proof enough that it is no guess.
    if (grant.expiresAt <= options.now()) return refused('token_expired')
    const found = await findIn(known, keyId, { ...around, onlyKnown: false })
    if (found === 'unavailable') return refused('store_unavailable')
    // Signed by us, so there was such a key.
    if (found === null || found.tenant !== tenant) return refused('key_revoked')
    return letIn(found, options.now(), grant)
  }
  return (headers, around = {}) => {
    const presented = presentedKey(headers)
    return presented?.startsWith(BROWSER_TOKEN_PREFIX) === true
      ? checkToken(presented, around)
      : checkKey(presented, around)
  }
}

type Match = 'current' | 'previous_pepper' | 'former'

/** All are compared, so that a key under the previous pepper, a former secret or no key takes no longer. */
function matchOf(key: StoredKey | null, hashes: readonly string[]): Match | null {
  const own = comparedWith(hashes, key?.secretHash ?? NO_HASH)
  const former = comparedWith(hashes, key?.former?.secretHash ?? NO_HASH)
  if (own.includes(true)) return own[0] === true ? 'current' : 'previous_pepper'
  return former.includes(true) ? 'former' : null
}

const comparedWith = (hashes: readonly string[], stored: string): readonly boolean[] =>
  hashes.map((hash) => equalInConstantTime(hash, stored))

async function findIn(
  known: ReadThrough<StoredKey | null>,
  keyId: string,
  { defer, onlyKnown = false }: Circumstances,
): Promise<StoredKey | null | 'unavailable'> {
  if (onlyKnown) return known.peek(keyId) ?? null
  return known.find(keyId, defer).catch(() => 'unavailable' as const)
}

/** What is known of a stored key at this moment, and of a token of it whose signature was checked. */
export function letIn(key: StoredKey, now: number, token?: TokenGrant): AuthResult {
  const reason = refusalOf(key, now)
  if (reason !== null) return refused(reason)
  const caller = toCaller(key)
  return { kind: 'caller', caller: token === undefined ? caller : { ...caller, token } }
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

function toCaller(key: StoredKey): Caller {
  const { tenant, keyId, tier, models, origins, limitsFail, ips, autoPromptCache } = key
  return {
    tenant,
    keyId,
    tier,
    models,
    origins,
    limitsFail,
    ips,
    autoPromptCache,
    ...(key.cacheTtlSeconds === undefined ? {} : { cacheTtlSeconds: key.cacheTtlSeconds }),
  }
}

function refused(reason: KeyRefusal): AuthResult {
  return { kind: 'refused', reason }
}
