// Splits a server-sent event stream strictly, as Claude sends it, and judges the order of its events.
import { CheckFailure, ensure } from './failure.ts'
import { asCount, asObject, type JsonObject } from './json.ts'

export interface StreamEvent {
  readonly name: string
  readonly data: JsonObject
}

/** Every event must have a name and one line of JSON; comments are allowed between events. */
export function parseStream(text: string): StreamEvent[] {
  ensure(!text.includes('\r'), 'the stream has carriage returns: Claude sends none')
  ensure(text.endsWith('\n\n'), 'the stream ends in the middle of an event')
  const blocks = text.split('\n\n').map(withoutComments)
  return blocks.filter((block) => block !== '').map(parseEvent)
}

/** The events that are complete in a stream which may have been cut. */
export function completeEvents(text: string): StreamEvent[] {
  const end = text.lastIndexOf('\n\n')
  return end < 0 ? [] : parseStream(text.slice(0, end + 2))
}

const withoutComments = (block: string): string =>
  block
    .split('\n')
    .filter((line) => !line.startsWith(':'))
    .join('\n')

function parseEvent(block: string): StreamEvent {
  const match = /^event: ([a-z_]+)\ndata: (.+)$/.exec(block)
  ensure(match !== null, `not an event of a name and one data line: ${block.slice(0, 80)}`)
  const [, name = '', data = ''] = match
  try {
    return { name, data: asObject(JSON.parse(data) as unknown, `the data of ${name}`) }
  } catch (error) {
    if (error instanceof CheckFailure) throw error
    throw new CheckFailure(`the data of ${name} is no JSON: ${data.slice(0, 80)}`)
  }
}

const KNOWN = new Set([
  'message_start',
  'content_block_start',
  'content_block_delta',
  'content_block_stop',
  'message_delta',
  'message_stop',
])

/** message_start, blocks one after the other, message_delta, message_stop; pings and unknown events anywhere. */
export function ensureOrder(events: readonly StreamEvent[]): void {
  const failed = events.find(({ name }) => name === 'error')
  ensure(failed === undefined, `the stream has an error event: ${JSON.stringify(failed?.data)}`)
  const known = events.filter(({ name }) => KNOWN.has(name))
  for (const { name, data } of known) {
    ensure(data['type'] === name, `event ${name} carries data of type ${String(data['type'])}`)
  }
  let open: unknown = null
  let state: 'new' | 'blocks' | 'closing' | 'done' = 'new'
  for (const { name, data } of known) {
    const where = `${name} after ${state === 'new' ? 'nothing' : state}`
    switch (name) {
      case 'message_start':
        ensure(state === 'new', `message_start comes again`)
        state = 'blocks'
        break
      case 'content_block_start':
        ensure(state === 'blocks' && open === null, `a block starts out of turn: ${where}`)
        open = data['index']
        break
      case 'content_block_delta':
      case 'content_block_stop':
        ensure(state === 'blocks' && open === data['index'], `${name} outside its block`)
        if (name === 'content_block_stop') open = null
        break
      case 'message_delta':
        ensure(state === 'blocks' || state === 'closing', `message_delta out of turn: ${where}`)
        ensure(open === null, 'message_delta within a block')
        state = 'closing'
        break
      default:
        ensure(state === 'closing', `message_stop out of turn: ${where}`)
        state = 'done'
    }
  }
  ensure(state === 'done', `the stream ends without message_stop`)
}

/** Usage of a stream is cumulative: the last of each count holds. */
export function usageOf(events: readonly StreamEvent[]): { input: number; output: number } {
  const start = events.find(({ name }) => name === 'message_start')
  const end = events.findLast(({ name }) => name === 'message_delta')
  const message = asObject(start?.data['message'], 'message_start.message')
  const first = asObject(message['usage'], 'message_start.message.usage')
  const last = asObject(end?.data['usage'], 'message_delta.usage')
  return {
    input: asCount(last['input_tokens'] ?? first['input_tokens'], 'usage.input_tokens'),
    output: asCount(last['output_tokens'], 'usage.output_tokens'),
  }
}
