// The headers that Claude's edge puts on its answers, those included that a gateway must strip.
import { rateHeaders } from './buckets.ts'
import type { Exchange } from './exchange.ts'

export type HeaderPair = [string, string]

const RETRY_AFTER_SPREAD = 60

export function claudeHeaders(exchange: Exchange, status: number): HeaderPair[] {
  const { entry, random } = exchange
  const ray = hex(random) + hex(random)
  const headers: HeaderPair[] = [
    ['request-id', entry.request_id],
    ['server', 'cloudflare'],
    ['via', '1.1 google'],
    ['cf-cache-status', 'DYNAMIC'],
    ['cf-ray', `${ray}-SIM`],
    [
      'set-cookie',
      `_cfuvid=${ray}; path=/; domain=.anthropic.com; HttpOnly; Secure; SameSite=None`,
    ],
    ['strict-transport-security', 'max-age=31536000; includeSubDomains; preload'],
    ['x-robots-tag', 'none'],
  ]
  if (exchange.isKnown) {
    headers.push(['anthropic-organization-id', exchange.caller.organizationId])
    headers.push(['anthropic-workspace-id', exchange.caller.workspaceId])
  }
  if (exchange.rateView !== undefined) {
    headers.push(...rateHeaders(exchange.rateView()))
    // Recorded on nearly every 200, where it means nothing.
    if (status === 200) headers.push(['retry-after', String(1 + random.int(RETRY_AFTER_SPREAD))])
  }
  return headers
}

function hex(random: { int(below: number): number }): string {
  return random.int(0x1_0000_0000).toString(16).padStart(8, '0')
}
