// What the platform alone costs where the gateway stands: a Worker that makes the gateway's calls of a request, one to the
// store, one to each of two objects and one to Claude, and does nothing else.
import { DurableObject } from 'cloudflare:workers'

interface SameCallsEnv {
  readonly UPSTASH_REDIS_REST_URL: string
  readonly UPSTASH_REDIS_REST_TOKEN: string
  readonly ANTHROPIC_BASE_URL: string
  readonly ACCOUNT_GATE: DurableObjectNamespace<AccountGate>
  readonly TENANT_LEDGER: DurableObjectNamespace<TenantLedger>
}

export class AccountGate extends DurableObject {
  admit(): string {
    return 'admitted'
  }
}

export class TenantLedger extends DurableObject {
  reserve(): string {
    return 'granted'
  }
}

async function askStore(env: SameCallsEnv): Promise<unknown> {
  const response = await fetch(env.UPSTASH_REDIS_REST_URL, {
    method: 'POST',
    headers: { authorization: `Bearer ${env.UPSTASH_REDIS_REST_TOKEN}` },
    body: '["PING"]',
  })
  return JSON.parse(await response.text())
}

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url)
    const body = await request.arrayBuffer()
    await Promise.all([
      askStore(env),
      env.ACCOUNT_GATE.getByName('bench').admit(),
      env.TENANT_LEDGER.getByName('bench').reserve(),
    ])
    const { headers } = request
    const answer = await fetch(env.ANTHROPIC_BASE_URL + pathname, { method: 'POST', headers, body })
    return new Response(await answer.arrayBuffer(), {
      headers: { 'content-type': 'application/json' },
    })
  },
} satisfies ExportedHandler<SameCallsEnv>
