// What the answers' headers tell, and what they must not.
import type { Check } from '../check.ts'
import { smallRequest } from '../claude-shape.ts'
import { ensure } from '../failure.ts'
import { ensureOk, type Target } from '../target.ts'

const group = 'headers'
const PATH = '/v1/messages'
const SECRET = /^(anthropic-organization-id|anthropic-workspace-id|set-cookie|server|via|cf-.*)$/
/** Added by the network in front of a deployed Worker, not by the Worker: nobody's account is in them. */
const OF_THE_EDGE = /^(server|cf-ray|cf-cache-status)$/

export const headerChecks: readonly Check[] = [
  {
    group,
    name: 'no answer tells whose account or network is behind it',
    sluiceOnly: true,
    async run(target) {
      const deployed = !isLoopback(target.url)
      for (const headers of await manyHeaders(target)) {
        const told = [...headers.keys()].filter((name) => SECRET.test(name))
        const ours = deployed ? told.filter((name) => !OF_THE_EDGE.test(name)) : told
        ensure(ours.length === 0, `an answer carries ${ours.join(', ')}`)
      }
    },
  },
  {
    group,
    name: 'every answer has request-id, sluice-trace-id and server-timing',
    sluiceOnly: true,
    async run(target) {
      for (const headers of await manyHeaders(target)) {
        for (const name of ['request-id', 'sluice-trace-id', 'server-timing']) {
          ensure(headers.has(name), `an answer has no ${name}`)
        }
      }
    },
  },
  {
    group,
    name: 'an answer tells its account, attempts, wait and Claude’s own request id',
    sluiceOnly: true,
    async run(target) {
      const { headers } = await answered(target)
      const names = ['sluice-account', 'sluice-attempts', 'sluice-queued-ms']
      for (const name of [...names, 'sluice-upstream-request-id']) {
        ensure(headers.has(name), `there is no ${name}`)
      }
      ensure(/^[1-9]\d*$/.test(headers.get('sluice-attempts') ?? ''), 'sluice-attempts is no count')
      ensure(/^\d+$/.test(headers.get('sluice-queued-ms') ?? ''), 'sluice-queued-ms is no number')
      const ours = headers.get('request-id')
      ensure(ours !== headers.get('sluice-upstream-request-id'), 'both request ids are the same')
    },
  },
  {
    group,
    name: 'server-timing names authentication, gate, upstream and total in milliseconds',
    sluiceOnly: true,
    async run(target) {
      const timing = (await answered(target)).headers.get('server-timing') ?? ''
      for (const part of ['auth', 'gate', 'upstream', 'total']) {
        ensure(new RegExp(`(^|, )${part};dur=[\\d.]+`).test(timing), `no ${part} in ${timing}`)
      }
      return timing
    },
  },
  {
    group,
    name: 'ratelimit and ratelimit-policy follow the IETF draft',
    sluiceOnly: true,
    async run(target) {
      const { headers } = await answered(target)
      const policy = headers.get('ratelimit-policy')
      const limit = headers.get('ratelimit')
      ensure(policy !== null && limit !== null, 'the headers are missing')
      ensure(/^"[^"]+";q=\d+(;|,|$)/.test(policy), `ratelimit-policy is ${policy}`)
      ensure(/^"[^"]+";r=\d+(;|,|$)/.test(limit), `ratelimit is ${limit}`)
      return limit
    },
  },
]

async function answered(target: Target) {
  const answer = await target.call(PATH, { body: smallRequest(target.model) })
  ensureOk(answer)
  return answer
}

/** Of a success, a stream, an upstream's refusal, our refusal, an unknown route and the list of models. */
async function manyHeaders(target: Target): Promise<Headers[]> {
  const bodies = [
    smallRequest(target.model),
    smallRequest(target.model, { stream: true }),
    smallRequest('claude-unheard-of-9'),
    '{',
  ]
  const all: Headers[] = []
  for (const body of bodies) all.push((await target.call(PATH, { body })).headers)
  all.push((await target.call('/v1/unheard-of')).headers)
  all.push((await target.call('/v1/models?limit=1')).headers)
  return all
}

const isLoopback = (url: string): boolean =>
  /^(127\.|localhost$|\[::1\]$)/.test(new URL(url).hostname)
