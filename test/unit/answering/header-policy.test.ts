import { describe, expect, test } from 'vitest'
import {
  isForwardedRequestHeader,
  isReturnedResponseHeader,
} from '../../../src/core/answering/header-policy.ts'
import { headerCaptures } from '../../support/captures.ts'

describe('upstream go', () => {
  test.each([
    'content-type',
    'accept',
    'anthropic-version',
    'anthropic-beta',
    'anthropic-dangerous-direct-browser-access',
    'anthropic-header-of-next-year',
    'x-claude-code-session-id',
  ])('%s', (name) => {
    expect(isForwardedRequestHeader(name)).toBe(true)
  })
})

describe('upstream never go', () => {
  test.each([
    'authorization',
    'x-api-key',
    'host',
    'cookie',
    'content-length',
    'content-encoding',
    'transfer-encoding',
    'connection',
    'accept-encoding',
    'x-forwarded-for',
    'x-real-ip',
    'forwarded',
    'cf-connecting-ip',
    'sluice-session',
    'sluice-lane',
    'idempotency-key',
    'prefer',
    'cache-control',
    'origin',
    'referer',
    'user-agent',
    'x-stainless-retry-count',
    'proxy-authorization',
    'xanthropic-version',
  ])('%s', (name) => {
    expect(isForwardedRequestHeader(name)).toBe(false)
  })
})

describe('down comes what belongs to the answer', () => {
  test.each([
    'content-type',
    'anthropic-version',
    'anthropic-header-of-next-year',
    'deprecation',
    'cache-control',
    'date',
  ])('%s', (name) => {
    expect(isReturnedResponseHeader(name)).toBe(true)
  })
})

describe('down never comes what is of the account, of its edge or of the hop', () => {
  test.each([
    'anthropic-organization-id',
    'anthropic-workspace-id',
    'anthropic-ratelimit-requests-limit',
    'anthropic-ratelimit-input-tokens-remaining',
    'anthropic-ratelimit-unified-status',
    'anthropic-priority-input-tokens-limit',
    'request-id',
    'retry-after',
    'x-should-retry',
    'set-cookie',
    'server',
    'via',
    'cf-ray',
    'cf-cache-status',
    'alt-svc',
    'nel',
    'report-to',
    'strict-transport-security',
    'server-timing',
    'access-control-allow-origin',
    'connection',
    'keep-alive',
    'proxy-authenticate',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
    'content-length',
    'content-encoding',
    'sluice-account',
  ])('%s', (name) => {
    expect(isReturnedResponseHeader(name)).toBe(false)
  })

  test.skipIf(headerCaptures.length === 0)('in any recorded answer', () => {
    const names = new Set(headerCaptures.flatMap(({ headers }) => Object.keys(headers)))
    expect([...names].filter(isReturnedResponseHeader).sort()).toEqual(['content-type', 'date'])
  })
})
