// Browser tokens: sealed and opened offline, alive only with their key.
import fc from 'fast-check'
import { SignJWT } from 'jose'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { memoryKeyStore } from '../../../src/adapters/memory/key-store.ts'
import type { BrowserToken } from '../../../src/core/keys/browser-token.ts'
import { mayUseModel } from '../../../src/core/keys/allowed-models.ts'
import { createAuthenticator } from '../../../src/flows/authenticate.ts'
import { createTokenSeal } from '../../../src/flows/seal-token.ts'
import type { StoredKey } from '../../../src/ports.ts'
import { callerWith } from '../../support/callers.ts'

const PEPPER = 'p'.repeat(32)
const OLD_PEPPER = 'o'.repeat(32)
const NOW = 1_780_000_000_000
const CACHE_MS = 5_000
const seal = createTokenSeal([PEPPER])

const token: BrowserToken = {
  tenant: 'acme',
  keyId: 'acmeacmeac',
  grant: {
    id: 'a'.repeat(32),
    origin: 'https://app.example',
    user: 'Zoë',
    models: ['claude-haiku-*'],
    maxRequests: 3,
    budgetNanoUsd: 5_000_000,
    expiresAt: NOW + 60_000,
  },
}
const stored: StoredKey = {
  ...callerWith({}, { tenant: 'acme', keyId: 'acmeacmeac' }),
  secretHash: '0'.repeat(64),
  disabled: false,
  tenantDisabled: false,
  expiresAt: null,
  former: null,
}

let now = NOW
let store = memoryKeyStore([stored])
let findKey = vi.spyOn(store, 'findKey')

beforeEach(() => {
  now = NOW
  store = memoryKeyStore([stored])
  findKey = vi.spyOn(store, 'findKey')
})

const authenticator = (peppers = [PEPPER]) =>
  createAuthenticator({
    keys: store,
    peppers,
    seal: createTokenSeal(peppers),
    cacheMs: CACHE_MS,
    now: () => now,
  })
const withToken = (text: string) => new Headers({ authorization: `Bearer ${text}` })
const refused = (reason: string) => ({ kind: 'refused', reason })

describe('a sealed token', () => {
  test('opens to what was sealed, whatever of it is bounded', async () => {
    const text = fc.string({ minLength: 1, maxLength: 40 })
    const count = fc.option(fc.integer({ min: 1, max: 1e15 }))
    const grants = fc.record({
      id: text,
      origin: text,
      user: fc.string({ maxLength: 256 }),
      models: fc.option(fc.array(text, { minLength: 1, maxLength: 5 })),
      maxRequests: count,
      budgetNanoUsd: count,
      expiresAt: fc.integer({ min: 1, max: 4e9 }).map((seconds) => seconds * 1000),
    })
    await fc.assert(
      fc.asyncProperty(grants, text, text, async (grant, tenant, keyId) => {
        const sealed = await seal.seal({ tenant, keyId, grant })
        expect(sealed).toMatch(/^slt_[\w.-]+$/)
        expect(await seal.open(sealed)).toEqual({ kind: 'token', token: { tenant, keyId, grant } })
      }),
      { numRuns: 50 },
    )
  })

  test('with any one character changed opens to nothing', async () => {
    const sealed = await seal.seal(token)
    for (let index = 4; index < sealed.length; index += 1) {
      const other = sealed[index] === 'A' ? 'Q' : 'A'
      const opened = await seal.open(`${sealed.slice(0, index)}${other}${sealed.slice(index + 1)}`)
      // The last character of the signature has two bits that mean nothing; it must still not be read as another.
      if (opened.kind === 'token') expect(opened.token).toEqual(token)
      expect(opened.kind === 'token' && index < sealed.length - 1).toBe(false)
    }
  })

  test('is unknown under another pepper, and known while that is the previous one', async () => {
    const old = await createTokenSeal([OLD_PEPPER]).seal(token)
    expect(await seal.open(old)).toEqual({ kind: 'unknown' })
    const both = createTokenSeal([PEPPER, OLD_PEPPER])
    expect(await both.open(old)).toEqual({ kind: 'token', token })
    expect((await seal.open(await both.seal(token))).kind).toBe('token')
  })

  test.each([
    'slt_',
    'slt_a.b.c',
    'slt_....',
    `slt_${'a'.repeat(9_000)}.b.${'c'.repeat(43)}`,
    'slt_eyJhbGciOiJub25lIn0.eyJzdWIiOiJhY21lIn0.',
  ])('is not what %.60s is', async (text) => {
    expect(await seal.open(text)).toEqual({ kind: 'malformed' })
  })

  test('cannot be made with the pepper itself, another algorithm or no signature', async () => {
    const claims = { jti: 'x', sub: 'acme', key: 'acmeacmeac', org: 'https://app.example' }
    const made = await new SignJWT({ ...claims, exp: 4e9 })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(PEPPER))
    expect(await seal.open(`slt_${made}`)).toEqual({ kind: 'unknown' })
    const [, payload, signature] = made.split('.')
    for (const alg of ['none', 'HS512', 'RS256']) {
      const head = Buffer.from(JSON.stringify({ alg })).toString('base64url')
      expect(await seal.open(`slt_${head}.${payload}.${signature}`)).toEqual({ kind: 'unknown' })
    }
  })
})

describe('a caller with a token', () => {
  test('is its key, bound by the token', async () => {
    const result = await authenticator()(withToken(await seal.seal(token)))
    expect(result).toMatchObject({
      kind: 'caller',
      caller: { tenant: 'acme', keyId: 'acmeacmeac', token: token.grant },
    })
    expect(result.kind === 'caller' && 'secretHash' in result.caller).toBe(false)
  })

  test('is let in until the very second of its end', async () => {
    const authenticate = authenticator()
    const text = await seal.seal(token)
    now = token.grant.expiresAt - 1
    expect(await authenticate(withToken(text))).toMatchObject({ kind: 'caller' })
    now += 1
    expect(await authenticate(withToken(text))).toEqual(refused('token_expired'))
  })

  test('costs no store call where it is forged or over', async () => {
    const authenticate = authenticator()
    const forged = await createTokenSeal([OLD_PEPPER]).seal(token)
    expect(await authenticate(withToken(forged))).toEqual(refused('token_unknown'))
    expect(await authenticate(withToken('slt_x.y.z'))).toEqual(refused('token_malformed'))
    now = token.grant.expiresAt
    expect(await authenticate(withToken(await seal.seal(token)))).toEqual(refused('token_expired'))
    expect(findKey).not.toHaveBeenCalled()
  })

  test.each<[string, Partial<StoredKey> | null, string]>([
    ['is disabled', { disabled: true }, 'key_revoked'],
    ['has expired', { expiresAt: NOW }, 'key_expired'],
    ["'s tenant is disabled", { tenantDisabled: true }, 'tenant_disabled'],
    ['belongs to another tenant now', { tenant: 'other' }, 'key_revoked'],
    ['is deleted', null, 'key_revoked'],
  ])('ends when its key %s', async (_, change, reason) => {
    const authenticate = authenticator()
    const headers = withToken(await seal.seal(token))
    expect(await authenticate(headers)).toMatchObject({ kind: 'caller' })
    if (change === null) store.remove(stored.keyId)
    else store.put({ ...stored, ...change })
    now += CACHE_MS - 1
    expect(await authenticate(headers)).toMatchObject({ kind: 'caller' })
    now += 1
    expect(await authenticate(headers)).toEqual(refused(reason))
  })

  test('may use what both its key and itself allow', () => {
    const bound = { models: ['claude-*'], token: { models: ['*-haiku-*'] } }
    expect(mayUseModel(bound, 'claude-haiku-5-5')).toBe(true)
    expect(mayUseModel(bound, 'claude-opus-5')).toBe(false)
    expect(mayUseModel(bound, 'other-haiku-1')).toBe(false)
    expect(mayUseModel({ models: null, token: { models: null } }, 'any')).toBe(true)
  })
})
