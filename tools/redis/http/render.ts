// Replies as Upstash's JSON: {"result": …} or {"error": …}, strings as text or, when asked, in base64.
import { toBase64, toUtf8 } from '../engine/bytes.ts'
import { isFailure, isSimple } from '../engine/reply.ts'
import type { Reply } from '../engine/reply.ts'

export type Encoding = 'text' | 'base64'

export function renderReply(reply: Reply, encoding: Encoding): string {
  if (isFailure(reply)) return renderError(reply.failure)
  // A lone OK is never encoded. Inside an array it is: clients decode every string that they find there.
  const result = isSimple(reply) && reply.simple === 'OK' ? '"OK"' : renderValue(reply, encoding)
  return `{"result":${result}}`
}

export function renderReplies(replies: readonly Reply[], encoding: Encoding): string {
  return `[${replies.map((reply) => renderReply(reply, encoding)).join(',')}]`
}

export function renderError(text: string): string {
  return `{"error":${JSON.stringify(toUtf8(text))}}`
}

function renderValue(reply: Reply, encoding: Encoding): string {
  if (reply === null) return 'null'
  if (typeof reply === 'number' || typeof reply === 'bigint') return String(reply)
  if (typeof reply === 'string') return renderText(reply, encoding)
  if (isSimple(reply)) return renderText(reply.simple, encoding)
  if (isFailure(reply)) return renderText(reply.failure, encoding)
  return `[${reply.map((item) => renderValue(item, encoding)).join(',')}]`
}

const renderText = (binary: string, encoding: Encoding): string =>
  encoding === 'base64' ? `"${toBase64(binary)}"` : JSON.stringify(toUtf8(binary))
