// Claude's own shapes, as every client of its API expects them: an error object, a message.
import { CheckFailure, ensure } from './failure.ts'
import { asCount, asList, asObject, asText, type JsonObject } from './json.ts'
import { type Answer, readJson } from './target.ts'

export interface ClaudeError {
  readonly type: string
  readonly message: string
  readonly details: JsonObject | null
}

export interface ExpectedError {
  readonly status: number
  readonly type: string
}

/** `{"type":"error","error":{"type","message"},"request_id"}`, with the request's id in a header too. */
export function ensureError(answer: Answer, expected: ExpectedError): ClaudeError {
  ensure(
    answer.status === expected.status,
    `status ${answer.status} instead of ${expected.status}: ${answer.text.slice(0, 160)}`,
  )
  const body = readJson(answer)
  ensure(
    body['type'] === 'error',
    `the body's type is ${JSON.stringify(body['type'])}, not "error"`,
  )
  const error = asObject(body['error'], 'error')
  const type = asText(error['type'], 'error.type')
  ensure(type === expected.type, `error.type is ${type} instead of ${expected.type}`)
  const message = asText(error['message'], 'error.message')
  ensure(message !== '', 'error.message is empty')
  ensure('request_id' in body, 'the body has no request_id')
  ensureRequestId(answer.headers)
  const details = error['details']
  return { type, message, details: details === undefined ? null : asObject(details, 'details') }
}

export function ensureRequestId(headers: Headers): string {
  const id = headers.get('request-id') ?? ''
  ensure(id !== '', 'there is no request-id header')
  return id
}

export function ensureMessage(answer: Answer): JsonObject {
  const message = readJson(answer)
  ensure(message['type'] === 'message', `type is ${JSON.stringify(message['type'])}, not "message"`)
  ensure(message['role'] === 'assistant', `role is ${JSON.stringify(message['role'])}`)
  ensure(asText(message['id'], 'id').startsWith('msg_'), 'id does not begin with msg_')
  asText(message['model'], 'model')
  asList(message['content'], 'content')
  asText(message['stop_reason'], 'stop_reason')
  const usage = asObject(message['usage'], 'usage')
  if (asCount(usage['input_tokens'], 'usage.input_tokens') === 0) {
    throw new CheckFailure('usage.input_tokens is 0')
  }
  asCount(usage['output_tokens'], 'usage.output_tokens')
  return message
}

/** A small request that costs next to nothing. */
export const smallRequest = (model: string, more: JsonObject = {}): JsonObject => ({
  model,
  max_tokens: 32,
  messages: [{ role: 'user', content: 'Say hello in five words.' }],
  ...more,
})
