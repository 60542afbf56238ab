// One thing wrong with a gateway at a time, for the tests of the doctor.
import type { Defect } from './gateway-spoiler.ts'

/** What it does, how, and the checks that must notice. */
export type KnownDefect = readonly [string, Defect, readonly string[]]

const isStream = (headers: Headers): boolean =>
  (headers.get('content-type') ?? '').startsWith('text/event-stream')

export interface Credentials {
  readonly key: string
  readonly adminToken: string
}

/** @param credentials of the gateway behind */
export const defectsFor = ({ key, adminToken }: Credentials): readonly KnownDefect[] => [
  [
    'leaves the admin plane open',
    {
      ask: ({ path, headers }) => {
        if (path.startsWith('/admin')) headers['authorization'] = `Bearer ${adminToken}`
      },
    },
    [
      'the admin plane is shut without a token',
      'a wrong admin token is refused',
      'a data-plane key does not open the admin plane',
    ],
  ],
  [
    'knows the admin plane by every spelling',
    {
      ask: (asked) => {
        const path = asked.path.replace('%61', 'a').replaceAll('//', '/').toLowerCase()
        if (path === asked.path || !path.startsWith('/admin')) return
        asked.path = path
        asked.headers['authorization'] = `Bearer ${adminToken}`
      },
    },
    ['no other spelling of its path opens the admin plane'],
  ],
  [
    'lets its refusals of the admin plane be kept',
    { answer: ({ headers }) => headers.delete('cache-control') },
    ['the admin plane is shut without a token', 'a wrong admin token is refused'],
  ],
  [
    'is not there',
    { answer: (answered) => void (answered.status = 503) },
    ['GET /health answers 200 without a key', 'HEAD /api/hello answers 200'],
  ],
  [
    'says nothing of its parts',
    {
      answer: (answered, { path }) => {
        if (path === '/ready') answered.body = '{"ready":true}'
      },
    },
    ['GET /ready names each part with its state and milliseconds'],
  ],
  [
    'lets everybody in',
    {
      ask: ({ headers }) => {
        delete headers['authorization']
        headers['x-api-key'] = key
      },
    },
    [
      'a call without a key is refused with 401',
      'a text that is no key is refused with 401',
      'a key with a wrong check is refused with 401',
      'a well-formed key that was never given out is refused with 401',
      'with both credentials, x-api-key counts',
    ],
  ],
  [
    'knows no bearer tokens',
    { ask: ({ headers }) => void delete headers['authorization'] },
    [
      'the key is accepted as authorization: Bearer',
      'ANTHROPIC_AUTH_TOKEN is enough: the same turn with authorization: Bearer',
    ],
  ],
  [
    'leaks a cookie',
    { answer: ({ headers }) => headers.set('set-cookie', 'a=b') },
    ['no answer tells whose account or network is behind it'],
  ],
  [
    'leaks the organization',
    { answer: ({ headers }) => headers.set('anthropic-organization-id', 'x') },
    ['no answer tells whose account or network is behind it'],
  ],
  [
    'names no request',
    { answer: ({ headers }) => headers.delete('request-id') },
    [
      'a message is answered whole, with its usage and a request id',
      'a body that is no JSON is refused with 400',
      'every answer has request-id, sluice-trace-id and server-timing',
    ],
  ],
  [
    'tells nothing of limits',
    { answer: ({ headers }) => headers.delete('ratelimit') },
    ['ratelimit and ratelimit-policy follow the IETF draft'],
  ],
  [
    'holds streams back to their end',
    {
      answer: async (answered) => {
        if (isStream(answered.headers)) answered.body = await answered.whole()
      },
    },
    ['a stream arrives event by event, not as one block'],
  ],
  [
    'ends streams in silence',
    {
      answer: async (answered) => {
        if (!isStream(answered.headers)) return
        answered.body = (await answered.whole()).replace(/event: message_stop\n.*\n\n$/, '')
      },
    },
    ['a streamed message has the right content type, order and usage'],
  ],
  [
    'prints events anew, in another order',
    {
      answer: async (answered) => {
        if (!isStream(answered.headers)) return
        const events = (await answered.whole()).trimEnd().split('\n\n')
        answered.body = `${events.toReversed().join('\n\n')}\n\n`
      },
    },
    [
      'a streamed message has the right content type, order and usage',
      'a turn streams on /v1/messages?beta=true with its betas, system array and tools',
    ],
  ],
  [
    'calls streams something else',
    {
      answer: ({ headers }) => {
        if (isStream(headers)) headers.set('content-type', 'application/octet-stream')
      },
    },
    ['a streamed message has the right content type, order and usage'],
  ],
  [
    'goes by the query',
    {
      ask: (asked) => {
        asked.path = asked.path.replace('/messages?beta=true', '/messages-beta')
      },
    },
    [
      'the query does not decide: ?beta=true is answered alike',
      'a turn streams on /v1/messages?beta=true with its betas, system array and tools',
    ],
  ],
  [
    'damages what is not ASCII',
    { ask: (asked) => void (asked.body = asked.body.replace(/[^ -~]/g, '?')) },
    ['the request body goes up as it is: characters beyond ASCII come back unharmed'],
  ],
  [
    'stops betas that it does not know',
    {
      answer: (answered, { headers }) => {
        if (headers['anthropic-beta']?.includes('doctor') === true) answered.status = 403
      },
    },
    ['a beta header that nobody knows is passed on, not stopped'],
  ],
  [
    'adds to the system array',
    {
      ask: (asked) => {
        if (asked.path !== '/v1/messages?beta=true') return
        const system = '"system":[{"type":"text","text":"'
        asked.body = asked.body.replace(
          system,
          `${system}Be brief and polite, and so on. `.repeat(1),
        )
        asked.body = asked.body.replace('You are Claude Code', `${'Be brief. '.repeat(30)}You are`)
      },
    },
    ['the system array goes up untouched: it costs the tokens that were counted'],
  ],
  [
    'redirects the list of models',
    {
      answer: (answered, { path }) => {
        if (!path.startsWith('/v1/models')) return
        answered.status = 308
        answered.headers.set('location', '/v2/models')
      },
    },
    [
      'GET /v1/models?limit=1000 answers within 3 s and without a redirect',
      'the list of models has Claude’s shape',
    ],
  ],
  [
    'has errors of its own shape',
    {
      answer: (answered) => {
        if (answered.status >= 400) answered.body = '{"error":"Bad","code":17}'
      },
    },
    [
      'a body that is no JSON is refused with 400',
      'a missing max_tokens is refused with 400, by its name',
      'a model that does not exist is refused with 404',
      'a route that does not exist is refused with 404',
      'a refused stream is JSON with a status, not a stream',
      'a thread that is gone is refused so that the client sends its history again',
    ],
  ],
  [
    'adds to error bodies',
    {
      answer: async (answered) => {
        if (answered.status < 400) return
        answered.body = (await answered.whole()).replace('{', '{"gateway":"sluice",')
      },
    },
    ['error bodies come unaltered: type, message and request_id, and no other field'],
  ],
  [
    'refuses threads without a code',
    {
      answer: async (answered) => {
        if (answered.status < 400) return
        answered.body = (await answered.whole()).replace('error_code', 'errorCode')
      },
    },
    ['a thread that is gone is refused so that the client sends its history again'],
  ],
  [
    'invites retries of what cannot succeed',
    { answer: ({ headers }) => headers.set('x-should-retry', 'true') },
    [
      'a body that is no JSON is refused with 400',
      'a model that does not exist is refused with 404',
      'its ten retries are not invited: a refusal of the request says x-should-retry: false',
    ],
  ],
  [
    'puts a date where seconds belong',
    { answer: ({ headers }) => headers.set('retry-after', 'Wed, 21 Oct 2026 07:28:00 GMT') },
    ['a retry-after is whole seconds within reason, and comes with a true x-should-retry'],
  ],
  [
    'allows every header and origin with *',
    {
      answer: ({ headers }) => {
        headers.set('access-control-allow-headers', '*')
        headers.set('access-control-allow-origin', '*')
      },
    },
    [
      'a preflight without a key names the origin, the method and each header, never *',
      'an answer to a page names its origin and exposes the headers',
      'a page can read a refusal too',
    ],
  ],
]
