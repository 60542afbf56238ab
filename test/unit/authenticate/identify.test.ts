// What stands before a key: refusals that this isolate remembers, and addresses that guess.
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { memoryKeyStore } from '../../../src/adapters/memory/key-store.ts'
import { memoryRequestLimits } from '../../../src/adapters/memory/request-limits.ts'
import { parseConfig } from '../../../src/config.ts'
import { formatApiKey, makeApiKey } from '../../../src/core/keys/api-key.ts'
import { newTiming, type RequestScope } from '../../../src/flows/call.ts'
import { createKeyHasher } from '../../../src/flows/hash-key.ts'
import { createIdentifier } from '../../../src/flows/identify.ts'
import { createTokenSeal } from '../../../src/flows/seal-token.ts'
import type { Services, StoredKey } from '../../../src/ports.ts'
import { callerWith } from '../../support/callers.ts'

const PEPPER = 'p'.repeat(32)
const ADDRESS = '203.0.113.7'
const ELSEWHERE = '198.51.100.1'
const FAILURES = 5
const key = makeApiKey(new Uint8Array(64).fill(1))
const seal = createTokenSeal([PEPPER])
const stored: StoredKey = {
  ...callerWith({}, { keyId: key.id, ips: ['203.0.113.0/24'] }),
  secretHash: await createKeyHasher(PEPPER)(key.text),
  disabled: false,
  tenantDisabled: false,
  expiresAt: null,
  former: null,
}

let now = 0
let findKey = vi.fn()
let limits = memoryRequestLimits({ now: () => now })
let identify: ReturnType<typeof createIdentifier>

beforeEach(() => {
  now = 1_780_000_000_000
  const keys = memoryKeyStore([stored])
  findKey = vi.spyOn(keys, 'findKey')
  const config = parseConfig({
    ANTHROPIC_API_KEY: 'sk-ant-of-no-use',
    ADMIN_TOKEN: 'a'.repeat(32),
    KEY_PEPPER: PEPPER,
    SLUICE_AUTH_FAILURES_PER_MINUTE: FAILURES,
    SLUICE_IP_REQUESTS_PER_MINUTE: 2,
  })
  limits = memoryRequestLimits({ now: () => now, around: config.limits })
  const services = { config, keys, limits, accounts: { usable: () => [] }, now: () => now }
  identify = createIdentifier(services as unknown as Services, seal)
})

const scopeAt = (address: string | null) =>
  ({ address, defer: () => {}, timing: newTiming() }) as unknown as RequestScope

const ask = (
  text: string,
  { address = ADDRESS, origin }: { address?: string | null; origin?: string } = {},
) => {
  const headers = { 'x-api-key': text, ...(origin === undefined ? {} : { origin }) }
  return identify(new Request('https://gateway.test/v1/messages', { headers }), scopeAt(address))
}

let guesses = 0
const newGuess = () =>
  formatApiKey(`guess${String(++guesses).padStart(5, '0')}`, 'A'.repeat(32)).text

describe('an address that guesses', () => {
  const guessUntilSuspect = async () => {
    for (let index = 0; index < FAILURES; index += 1) {
      await expect(ask(newGuess())).rejects.toMatchObject({ reason: 'key_unknown' })
    }
    findKey.mockClear()
  }

  test('is told so above the limit, exactly for how long, and no store is asked for it', async () => {
    await guessUntilSuspect()
    now += 20_000
    for (const text of [newGuess(), 'slk_malformed', `slt_${'a.'.repeat(2)}${'b'.repeat(43)}`]) {
      await expect(ask(text)).rejects.toMatchObject({
        reason: 'ip_requests',
        retryAfterMs: 40_000,
      })
    }
    expect(findKey).not.toHaveBeenCalled()
    now += 40_000
    await expect(ask(newGuess())).rejects.toMatchObject({ reason: 'key_unknown' })
    expect(findKey).toHaveBeenCalledTimes(1)
  })

  test('does not stop keys that are known here, though they share it', async () => {
    await expect(ask(key.text)).resolves.toMatchObject({ tenant: 'acme', address: ADDRESS })
    await guessUntilSuspect()
    await expect(ask(key.text)).resolves.toMatchObject({ tenant: 'acme' })
  })

  test('does not stop others elsewhere, and nobody is counted by an address that is not known', async () => {
    await guessUntilSuspect()
    await expect(ask(newGuess(), { address: ELSEWHERE })).rejects.toMatchObject({
      reason: 'key_unknown',
    })
    for (let index = 0; index < 2 * FAILURES; index += 1) {
      await expect(ask(newGuess(), { address: null })).rejects.toMatchObject({
        reason: 'key_unknown',
      })
    }
  })

  test('is not one whose key was good once, or that sends none', async () => {
    for (let index = 0; index < 2 * FAILURES; index += 1) {
      await expect(ask('')).rejects.toMatchObject({ reason: 'key_missing' })
    }
    await expect(ask(newGuess())).rejects.toMatchObject({ reason: 'key_unknown' })
  })
})

test('an address over its limit is refused before its key is looked at', async () => {
  const caller = await ask(key.text)
  for (let index = 0; index < 3; index += 1) await limits.take(caller)
  findKey.mockClear()
  now += 6_000
  await expect(ask(newGuess())).rejects.toMatchObject({
    reason: 'ip_requests',
    retryAfterMs: 54_000,
  })
  expect(findKey).not.toHaveBeenCalled()
})

test("a key's addresses bind the key, and not the pages that its tokens are for", async () => {
  await expect(ask(key.text, { address: ELSEWHERE })).rejects.toMatchObject({
    reason: 'ip_not_allowed',
  })
  const origin = 'https://app.example'
  const grant = {
    id: 'x',
    origin,
    user: '',
    models: null,
    maxRequests: null,
    budgetNanoUsd: null,
    expiresAt: now + 60_000,
  }
  const token = await seal.seal({ tenant: 'acme', keyId: key.id, grant })
  await expect(ask(token, { address: ELSEWHERE, origin })).resolves.toMatchObject({ token: grant })
  await expect(ask(token, { address: ELSEWHERE })).rejects.toMatchObject({
    reason: 'origin_not_allowed',
  })
})
