// Streams written for this project in the shapes of Claude's: what a gateway that parses and prints again would spoil.
// Recorded ones are read from the shared data where it lies beside the repository; these are always there.

const event = (name: string, fields: object, padding = ''): string =>
  `event: ${name}\ndata: ${JSON.stringify({ type: name, ...fields })}${padding}\n\n`

const usage = { input_tokens: 12, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 }

const opening = (padding = ''): string =>
  event(
    'message_start',
    {
      message: {
        id: 'msg_own',
        type: 'message',
        role: 'assistant',
        model: 'claude-sonnet-5-5',
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { ...usage, output_tokens: 1 },
      },
    },
    padding,
  )

const closing =
  event('message_delta', {
    delta: { stop_reason: 'end_turn', stop_sequence: null },
    usage: { output_tokens: 9 },
  }) + event('message_stop', {})

const block = (index: number, start: object, deltas: readonly object[], padding = ''): string =>
  event('content_block_start', { index, content_block: start }, padding) +
  deltas.map((delta) => event('content_block_delta', { index, delta }, padding)).join('') +
  event('content_block_stop', { index }, padding)

const text = (...pieces: string[]): string =>
  block(
    0,
    { type: 'text', text: '' },
    pieces.map((piece) => ({ type: 'text_delta', text: piece })),
  )

const whole = (middle: string): string => opening() + middle + closing

export const OWN_STREAMS: Readonly<Record<string, Buffer>> = {
  'padding after every data line': Buffer.from(
    opening('      ') +
      block(0, { type: 'text', text: '' }, [{ type: 'text_delta', text: 'a' }], ' '.repeat(37)) +
      closing.replaceAll('}\n\n', '}   \n\n'),
  ),
  'pings anywhere': Buffer.from(
    whole(
      `event: ping\ndata: {"type": "ping"}\n\n${text('a')}event: ping\ndata: {"type":"ping"}\n\n`,
    ),
  ),
  'unknown events and deltas': Buffer.from(
    whole(
      `event: content_block_hologram\ndata: {"type":"content_block_hologram","beam":[1,2.50,1e3]}\n\n` +
        block(0, { type: 'hologram', n: 0 }, [{ type: 'hologram_delta', photons: '☀️' }]),
    ),
  ),
  'characters of four bytes': Buffer.from(whole(text('𝕊𝕝𝕦𝕚𝕔𝕖', '👩‍👩‍👧‍👦', '\u2028\u2029', 'é́'))),
  'escapes that a printer would change': Buffer.from(
    whole(
      'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n' +
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\\u00e9\\/\\ud83d\\ude00"}}\n\n' +
        'event: content_block_stop\ndata: {"index":0,   "type":"content_block_stop"}\n\n',
    ),
  ),
  'thinking with its signature': Buffer.from(
    whole(
      block(0, { type: 'thinking', thinking: '', signature: '' }, [
        { type: 'thinking_delta', thinking: 'Hm. ' },
        { type: 'signature_delta', signature: 'RXVDa0NrWUlCeGdDS2tBPT0=' },
      ]) + block(1, { type: 'redacted_thinking', data: 'ZGF0YQ==' }, []),
    ),
  ),
  'a tool call in pieces of JSON': Buffer.from(
    whole(
      block(0, { type: 'tool_use', id: 'toolu_1', name: 'get', input: {} }, [
        { type: 'input_json_delta', partial_json: '' },
        { type: 'input_json_delta', partial_json: '{"city": "Lis' },
        { type: 'input_json_delta', partial_json: 'bon\\n"}' },
      ]),
    ),
  ),
  'lines that end with CRLF': Buffer.from(whole(text('a', 'b')).replaceAll('\n', '\r\n')),
  'comments and fields that clients ignore': Buffer.from(
    whole(`: a comment of Claude's edge\n\nid: 7\nretry: 10\n${text('a')}`),
  ),
  'one event larger than a read': Buffer.from(whole(text('x'.repeat(20_000)))),
  'blank lines after the end': Buffer.from(`${whole(text('a'))}\n\n\n`),
}
