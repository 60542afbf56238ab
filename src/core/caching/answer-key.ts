// What makes two requests the same: who asks, in which scope, with which version and betas of the API, and the body in
// its one spelling. Whether the answer is streamed does not matter: one kept answer serves both forms.
import { canonicalJson } from './canonical-json.ts'

export type CacheScope = 'tenant' | 'user'

export interface KeyParts {
  readonly tenant: string
  readonly scope: CacheScope
  /** Of no account in the scope of the tenant. */
  readonly user: string
  /** `anthropic-version` and `anthropic-beta`; null: not sent. */
  readonly version: string | null
  readonly betas: string | null
  readonly body: string
}

const FORM: ReadonlySet<string> = new Set(['stream'])

/** The text whose hash is the key. The parts are kept apart by JSON, so that no two lists of them read alike. */
export function answerKeyText({ tenant, scope, user, version, betas, body }: KeyParts): string {
  const who = scope === 'user' ? [tenant, scope, user] : [tenant, scope]
  return `${JSON.stringify([who, version, betaList(betas)])}\n${canonicalJson(body, FORM)}`
}

/** Betas are a set: neither their order nor how the header is split says anything. */
function betaList(header: string | null): readonly string[] {
  const names = (header ?? '').split(',').map((name) => name.trim())
  return [...new Set(names)].filter((name) => name !== '').toSorted()
}
