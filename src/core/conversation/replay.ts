// A Message told as a stream: valid events in Claude's order, the text in pieces, for a caller that asks for a stream
// of an answer that was kept whole. Recording what it tells gives the same Message again.
import { elementsOf, type Field, fieldOf, fieldsIn, printFields, readString } from './json-parts.ts'

export interface ReplayedEvent {
  readonly type: string
  /** JSON text. */
  readonly data: string
}

/** About what a token is, times some: small enough to look alive, large enough to be cheap. */
const PIECE_CHARS = 48

/** Which field of a block its deltas carry, and under which names. */
const DELTAS: Readonly<Record<string, { readonly field: string; readonly delta: string }>> = {
  text: { field: 'text', delta: 'text_delta' },
  thinking: { field: 'thinking', delta: 'thinking_delta' },
}

export function* replayMessage(message: string): Generator<ReplayedEvent> {
  const fields = fieldsIn(message)
  const usage = fieldOf(fields, 'usage') ?? '{}'
  const start = fields.map((field) => openField(field))
  yield event('message_start', [{ name: 'message', value: printFields(start) }])
  const blocks = elementsOf(fieldOf(fields, 'content') ?? '[]')
  for (const [index, block] of blocks.entries()) yield* replayBlock(index, block)
  const delta = ['stop_reason', 'stop_sequence'].map((name) => ({
    name,
    value: fieldOf(fields, name) ?? 'null',
  }))
  yield event('message_delta', [
    { name: 'delta', value: printFields(delta) },
    { name: 'usage', value: usage },
  ])
  yield event('message_stop', [])
}

/** As the Message looked before anything of it was said. */
function openField({ name, value }: Field): Field {
  if (name === 'content') return { name, value: '[]' }
  if (name === 'stop_reason' || name === 'stop_sequence') return { name, value: 'null' }
  if (name !== 'usage' || !value.startsWith('{')) return { name, value }
  const usage = fieldsIn(value).map((part) =>
    part.name === 'output_tokens' ? { ...part, value: '1' } : part,
  )
  return { name, value: printFields(usage) }
}

function* replayBlock(at: number, block: string): Generator<ReplayedEvent> {
  const fields = fieldsIn(block)
  const type = readString(fieldOf(fields, 'type')) ?? ''
  const index: Field = { name: 'index', value: String(at) }
  const deltas = deltasOf(type, fields)
  const begun = fields.map((field) => {
    const told = deltas.some((delta) => delta.of === field.name)
    return told ? { name: field.name, value: emptied(field.value) } : field
  })
  const content = deltas.length === 0 ? block : printFields(begun)
  yield event('content_block_start', [index, { name: 'content_block', value: content }])
  for (const { delta } of deltas) {
    yield event('content_block_delta', [index, { name: 'delta', value: delta }])
  }
  yield event('content_block_stop', [index])
}

interface Delta {
  /** The field that it tells. */
  readonly of: string
  readonly delta: string
}

function deltasOf(type: string, fields: readonly Field[]): readonly Delta[] {
  const deltas: Delta[] = []
  const citations = fieldOf(fields, 'citations')
  if (type === 'text' && citations?.startsWith('[') === true) {
    for (const citation of elementsOf(citations)) {
      deltas.push({
        of: 'citations',
        delta: `{"type":"citations_delta","citation":${citation}}`,
      })
    }
  }
  const told = DELTAS[type]
  if (told !== undefined) deltas.push(...piecesOf(told.field, told.delta, fields))
  if (type === 'thinking') {
    const signature = fieldOf(fields, 'signature')
    if (signature !== undefined && signature !== '""') {
      const delta = `{"type":"signature_delta","signature":${signature}}`
      deltas.push({ of: 'signature', delta })
    }
  }
  const input = fieldOf(fields, 'input')
  if (type.endsWith('tool_use') && input !== undefined && fieldsIn(input).length > 0) {
    for (const piece of cut(input)) {
      const delta = `{"type":"input_json_delta","partial_json":${JSON.stringify(piece)}}`
      deltas.push({ of: 'input', delta })
    }
  }
  return deltas
}

function piecesOf(field: string, type: string, fields: readonly Field[]): readonly Delta[] {
  const text = readString(fieldOf(fields, field)) ?? ''
  return cut(text).map((piece) => ({
    of: field,
    delta: `{"type":"${type}","${field}":${JSON.stringify(piece)}}`,
  }))
}

/** Never between the halves of a character: half of one cannot be written in UTF-8. */
function cut(text: string): readonly string[] {
  const pieces: string[] = []
  for (let at = 0; at < text.length;) {
    const unit = text.charCodeAt(at + PIECE_CHARS - 1)
    const end = at + PIECE_CHARS + (unit >= 0xd800 && unit < 0xdc00 ? 1 : 0)
    pieces.push(text.slice(at, end))
    at = end
  }
  return pieces
}

const emptied = (value: string): string =>
  value.startsWith('"') ? '""' : value.startsWith('[') ? '[]' : '{}'

const event = (type: string, fields: readonly Field[]): ReplayedEvent => ({
  type,
  data: printFields([{ name: 'type', value: JSON.stringify(type) }, ...fields]),
})
