// Browsers: a preflight for an allowed origin, and readable answers.
import type { Check } from '../check.ts'
import { smallRequest } from '../claude-shape.ts'
import { ensure, NotApplicable } from '../failure.ts'
import { type Answer, ensureOk, type Target } from '../target.ts'

const group = 'browsers'
const PATH = '/v1/messages'
/** What the SDKs ask for. */
const ASKED = [
  'anthropic-beta',
  'anthropic-dangerous-direct-browser-access',
  'anthropic-version',
  'authorization',
  'content-type',
  'x-api-key',
  'x-stainless-lang',
  'x-stainless-retry-count',
  'x-stainless-runtime-version',
]
const EXPOSED = ['request-id', 'retry-after', 'x-should-retry', 'sluice-reason', 'ratelimit']

export const corsChecks: readonly Check[] = [
  {
    group,
    name: 'a preflight without a key names the origin, the method and each header, never *',
    sluiceOnly: true,
    async run(target) {
      const { status, headers } = await preflight(target)
      ensure(status === 204 || status === 200, `status ${status}`)
      ensureOrigin(headers, target)
      ensureLists(headers, 'access-control-allow-methods', ['POST'])
      ensureLists(headers, 'access-control-allow-headers', ASKED)
    },
  },
  {
    group,
    name: 'an answer to a page names its origin and exposes the headers',
    sluiceOnly: true,
    async run(target) {
      await preflight(target)
      const answer = await target.call(PATH, {
        body: smallRequest(target.model),
        headers: { origin: target.origin },
      })
      ensureOk(answer)
      ensureOrigin(answer.headers, target)
      ensureLists(answer.headers, 'access-control-expose-headers', EXPOSED)
      ensure((answer.headers.get('vary') ?? '').toLowerCase().includes('origin'), 'no vary: origin')
    },
  },
  {
    group,
    name: 'a page can read a refusal too',
    sluiceOnly: true,
    async run(target) {
      await preflight(target)
      const answer = await target.call(PATH, { body: '{', headers: { origin: target.origin } })
      ensure(answer.status === 400, `status ${answer.status} instead of 400`)
      ensureOrigin(answer.headers, target)
    },
  },
]

async function preflight(target: Target): Promise<Answer> {
  const answer = await target.call(PATH, {
    method: 'OPTIONS',
    withKey: false,
    headers: {
      origin: target.origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': ASKED.join(','),
    },
  })
  if (answer.status === 403) {
    ensure(!answer.headers.has('access-control-allow-origin'), 'a refused origin is allowed')
    throw new NotApplicable(`no tenant allows ${target.origin}: name another with --origin`)
  }
  return answer
}

function ensureOrigin(headers: Headers, target: Target): void {
  const origin = headers.get('access-control-allow-origin')
  ensure(origin === target.origin, `access-control-allow-origin is ${origin ?? 'absent'}`)
}

/** `*` would not cover `authorization`. */
function ensureLists(headers: Headers, name: string, wanted: readonly string[]): void {
  const list = (headers.get(name) ?? '').toLowerCase().split(/\s*,\s*/)
  ensure(!list.includes('*'), `${name} has *`)
  const missing = wanted.filter((item) => !list.includes(item.toLowerCase()))
  ensure(missing.length === 0, `${name} lacks ${missing.join(', ')}`)
}
