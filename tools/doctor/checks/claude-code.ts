// What Claude Code needs of whatever stands between it and Claude, each rule as a check of its own.
import type { Check } from '../check.ts'
import { ensureError, ensureMessage, smallRequest } from '../claude-shape.ts'
import { ensure } from '../failure.ts'
import { asObject, type JsonObject } from '../json.ts'
import { ensureOrder, parseStream } from '../sse.ts'
import { type Answer, ensureOk, readJson, type Target } from '../target.ts'

const group = 'Claude Code'
const PATH = '/v1/messages?beta=true'
const THREADS = 'message-threads-2026-08-12'
const MODELS_DEADLINE_MS = 3_000
const LARGE_TEXT_CHARS = 1_000_000
const HEADERS = {
  'anthropic-beta': 'claude-code-20250219,interleaved-thinking-2025-05-14',
  'anthropic-dangerous-direct-browser-access': 'true',
  'x-app': 'cli',
  'x-claude-code-session-id': '7a6d0a2e-5f0c-4c3e-9f55-000000000001',
}

export const claudeCodeChecks: readonly Check[] = [
  {
    group,
    name: 'it finds the API there: HEAD /api/hello, with its token',
    async run(target) {
      const headers = { authorization: `Bearer ${target.key}` }
      ensureOk(await target.call('/api/hello', { method: 'HEAD', headers, withKey: false }))
    },
  },
  {
    group,
    name: 'GET /v1/models?limit=1000 answers within 3 s and without a redirect',
    async run(target) {
      const answer = await target.call('/v1/models?limit=1000', { headers: HEADERS })
      ensure(answer.status < 300 || answer.status > 399, 'it redirects')
      ensureOk(answer)
      ensure(answer.ms < MODELS_DEADLINE_MS, `it took ${answer.ms} ms`)
      return `${answer.ms} ms`
    },
  },
  {
    group,
    name: 'a turn streams on /v1/messages?beta=true with its betas, system array and tools',
    async run(target) {
      const answer = await target.call(PATH, { headers: HEADERS, body: turn(target) })
      ensureOk(answer)
      ensureOrder(parseStream(answer.text))
    },
  },
  {
    group,
    name: 'ANTHROPIC_AUTH_TOKEN is enough: the same turn with authorization: Bearer',
    sluiceOnly: true,
    async run(target) {
      const headers = { ...HEADERS, authorization: `Bearer ${target.key}` }
      const body = { ...turn(target), stream: false }
      const answer = await target.call(PATH, { headers, body, withKey: false })
      ensureOk(answer)
      ensureMessage(answer)
    },
  },
  {
    group,
    name: 'tokens are counted with ?beta=true, system array and tools included',
    async run(target) {
      const { model, messages, system, tools } = turn(target)
      const count = async (body: JsonObject) =>
        Number(
          readJson(
            await target.call('/v1/messages/count_tokens?beta=true', { headers: HEADERS, body }),
          )['input_tokens'],
        )
      const whole = await count({ model, messages, system, tools })
      const bare = await count({ model, messages })
      ensure(whole > bare, `${whole} tokens with system and tools, ${bare} without`)
    },
  },
  {
    group,
    name: 'the system array goes up untouched: it costs the tokens that were counted',
    async run(target) {
      const { model, messages, system } = turn(target)
      const counted = await target.call('/v1/messages/count_tokens?beta=true', {
        headers: HEADERS,
        body: { model, messages, system },
      })
      const answer = await target.call(PATH, {
        headers: HEADERS,
        body: { model, messages, system, max_tokens: 32 },
      })
      ensureOk(answer)
      const foretold = Number(readJson(counted)['input_tokens'])
      const used = inputTokens(ensureMessage(answer))
      ensure(Math.abs(used - foretold) <= 10, `${used} tokens used, ${foretold} counted`)
    },
  },
  {
    group,
    name: 'error bodies come unaltered: type, message and request_id, and no other field',
    async run(target) {
      const body = { ...turn(target), model: 'claude-unheard-of-9' }
      const answer = await target.call(PATH, { headers: HEADERS, body })
      ensureError(answer, { status: 404, type: 'not_found_error' })
      const whole = readJson(answer)
      const error = asObject(whole['error'], 'error')
      const names = [...Object.keys(whole), ...Object.keys(error).map((name) => `error.${name}`)]
      const allowed = [
        'type',
        'error',
        'request_id',
        'error.type',
        'error.message',
        'error.details',
      ]
      const added = names.filter((name) => !allowed.includes(name))
      ensure(added.length === 0, `the error has ${added.join(', ')}`)
    },
  },
  {
    group,
    name: 'its ten retries are not invited: a refusal of the request says x-should-retry: false',
    sluiceOnly: true,
    async run(target) {
      const answer = await target.call(PATH, { headers: HEADERS, body: '{' })
      const should = answer.headers.get('x-should-retry')
      ensure(should === 'false', `x-should-retry is ${should ?? 'absent'}`)
    },
  },
  {
    group,
    name: 'a message thread is continued, or refused so that the client goes on without it',
    async run(target) {
      const body = smallRequest(target.model, { thread: { type: 'create' } })
      const first = await target.call(PATH, { headers: { 'anthropic-beta': THREADS }, body })
      if (first.status !== 200) return ensureThreadRefusal(first)
      const next = smallRequest(target.model, {
        thread: { type: 'continue', previous_message_id: ensureMessage(first)['id'] },
      })
      const second = await target.call(PATH, { headers: { 'anthropic-beta': THREADS }, body: next })
      if (second.status !== 200) return ensureThreadRefusal(second)
      const grown = inputTokens(ensureMessage(second)) > inputTokens(ensureMessage(first))
      ensure(grown, 'the second turn does not know the first')
      return 'continued'
    },
  },
  {
    group,
    name: 'a thread that is gone is refused so that the client sends its history again',
    async run(target) {
      const body = smallRequest(target.model, {
        thread: { type: 'continue', previous_message_id: 'msg_01AAAAAAAAAAAAAAAAAAAAAA' },
      })
      return ensureThreadRefusal(
        await target.call(PATH, { headers: { 'anthropic-beta': THREADS }, body }),
      )
    },
  },
  {
    group,
    name: 'a long conversation passes: a body of 1 MB',
    async run(target) {
      const content = 'All work and no play makes a dull day. '.repeat(LARGE_TEXT_CHARS / 40)
      const body = { model: target.model, messages: [{ role: 'user', content }] }
      const answer = await target.call('/v1/messages/count_tokens?beta=true', { body })
      // Too many tokens for the model is an answer of Claude's own.
      const tooLong = answer.status === 400 && /too long|maximum/.test(answer.text)
      ensure(tooLong || answer.status === 200, `status ${answer.status}`)
    },
  },
]

const turn = (target: Target): JsonObject =>
  smallRequest(target.model, {
    stream: true,
    system: [
      { type: 'text', text: 'x-anthropic-billing-header: cc_version=2.1.0; cc_entrypoint=cli;' },
      {
        type: 'text',
        text: "You are Claude Code, Anthropic's official CLI for Claude.",
        cache_control: { type: 'ephemeral' },
      },
    ],
    tools: [
      {
        name: 'Read',
        description: 'Reads a file',
        input_schema: { type: 'object', properties: { path: { type: 'string' } } },
      },
    ],
    tool_choice: { type: 'none' },
    metadata: { user_id: 'user_0_account__session_0' },
  })

/** Cached or not, all of the prompt. */
function inputTokens(message: JsonObject): number {
  const usage = asObject(message['usage'], 'usage')
  const fields = ['input_tokens', 'cache_creation_input_tokens', 'cache_read_input_tokens']
  return fields.reduce((sum, field) => sum + Number(usage[field] ?? 0), 0)
}

/** By its error code the SDK knows whether to replay (404) or to go on without threads (400); a plain 400 breaks it. */
function ensureThreadRefusal(answer: Answer): string {
  const { details } =
    answer.status === 404
      ? ensureError(answer, { status: 404, type: 'not_found_error' })
      : ensureError(answer, { status: 400, type: 'invalid_request_error' })
  const code = details?.['error_code']
  const wanted = answer.status === 404 ? 'thread_not_found' : 'thread_unsupported_request'
  ensure(code === wanted, `details.error_code is ${String(code)} instead of ${wanted}`)
  return wanted
}
