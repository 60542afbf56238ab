// Signatures of thinking blocks. The simulator signs what it thought and refuses a block that comes
// back changed, as Claude does: a gateway that mangles thinking blocks is found out.
import { createHmac } from 'node:crypto'

const SECRET = 'claude-simulator-thinking-blocks'

export function signThinking(thinking: string, nonce: string): string {
  return Buffer.from(`${nonce}.${mac(`thinking.${nonce}.${thinking}`)}`).toString('base64')
}

export function thinkingIsOurs(thinking: string, signature: string): boolean {
  const [nonce, code] = Buffer.from(signature, 'base64').toString().split('.')
  return nonce !== undefined && code === mac(`thinking.${nonce}.${thinking}`)
}

export function sealRedacted(nonce: string): string {
  return Buffer.from(`${nonce}.${mac(`redacted.${nonce}`)}`).toString('base64')
}

export function redactedIsOurs(data: string): boolean {
  const [nonce, code] = Buffer.from(data, 'base64').toString().split('.')
  return nonce !== undefined && code === mac(`redacted.${nonce}`)
}

function mac(text: string): string {
  return createHmac('sha256', SECRET).update(text).digest('base64url')
}
