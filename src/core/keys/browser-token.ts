// A browser token: what a key lends to a page, for a while. Its claims are short, since it travels with every call;
// whoever holds it can read them, so nothing in them is a secret.

/** `slt_` and a signed token of three parts. */
export const BROWSER_TOKEN_PREFIX = 'slt_'
export const MAX_TOKEN_TTL_SECONDS = 3_600
/** Ours are below 4 KB; longer ones are not worth a signature's check. */
export const MAX_TOKEN_CHARS = 8_192

/** What a token allows; null: no bound beyond those of its key and its tenant. */
export interface TokenGrant {
  readonly id: string
  /** The only origin whose pages may use it. */
  readonly origin: string
  /** Whose calls they are, whatever `sluice-user` says; empty: nobody's in particular. */
  readonly user: string
  readonly models: readonly string[] | null
  readonly maxRequests: number | null
  readonly budgetNanoUsd: number | null
  /** A whole second. */
  readonly expiresAt: number
}

export interface BrowserToken {
  readonly tenant: string
  readonly keyId: string
  readonly grant: TokenGrant
}

/** Registered names of RFC 7519 where there is one: `jti`, `sub`, `exp`; the rest are ours. */
export type TokenClaims = Readonly<Record<string, string | number | readonly string[]>>

export function toClaims({ tenant, keyId, grant }: BrowserToken): TokenClaims {
  return {
    jti: grant.id,
    sub: tenant,
    key: keyId,
    org: grant.origin,
    exp: grant.expiresAt / 1000,
    ...(grant.user === '' ? {} : { usr: grant.user }),
    ...(grant.models === null ? {} : { mdl: grant.models }),
    ...(grant.maxRequests === null ? {} : { req: grant.maxRequests }),
    ...(grant.budgetNanoUsd === null ? {} : { usd: grant.budgetNanoUsd }),
  }
}

/** Null where a claim is not what this version writes: a token is never read more widely than it was meant. */
export function readClaims(claims: Readonly<Record<string, unknown>>): BrowserToken | null {
  const { jti, sub, key, org, exp, usr = '', mdl = null, req = null, usd = null } = claims
  if (!isText(jti) || !isText(sub) || !isText(key) || !isText(org) || !isCount(exp)) return null
  if (typeof usr !== 'string' || !(mdl === null || isTexts(mdl))) return null
  if (!(req === null || isCount(req)) || !(usd === null || isCount(usd))) return null
  return {
    tenant: sub,
    keyId: key,
    grant: {
      id: jti,
      origin: org,
      user: usr,
      models: mdl,
      maxRequests: req,
      budgetNanoUsd: usd,
      expiresAt: exp * 1000,
    },
  }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value > 0

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((entry) => isText(entry))
