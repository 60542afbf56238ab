// When a request of ours asks Claude to keep its prefix, and that nothing else of it changes.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { scanMessageRequest } from '../../../src/core/answering/message-request.ts'
import {
  type MarkedParts,
  markersWithOurs,
  writeMarkers,
} from '../../../src/core/answering/prompt-marker.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** The body as it goes to Claude. */
function sent(json: string, parts: MarkedParts = 'all'): string {
  const body = encoder.encode(json)
  const scan = scanMessageRequest(body)
  if (scan.kind === 'invalid') throw new Error(scan.message)
  const read = { ...scan.facts, body }
  const ours = markersWithOurs(read, parts)
  return decoder.decode(ours === null ? body : writeMarkers(read, ours))
}

const long = 'x'.repeat(20_000)
const said = {
  model: 'claude-sonnet-5-5',
  max_tokens: 9,
  messages: [{ role: 'user', content: long }],
}
const of = (fields: object): string => JSON.stringify({ ...said, ...fields })
const isMarked = (json: string): boolean => sent(json) !== json
const five = { cache_control: { type: 'ephemeral' } }
const hour = { cache_control: { type: 'ephemeral', ttl: '1h' } }
const system = (markers: number): object => ({
  system: Array.from({ length: markers }, () => ({ type: 'text', text: 's', ...five })),
})
const saying = (...blocks: readonly object[]): object => ({
  messages: [{ role: 'user', content: blocks.map((block) => ({ type: 'text', ...block })) }],
})

describe('asking Claude to keep the prefix', () => {
  it('adds one field at the end and leaves every other byte, spaces and line ends included', () => {
    const written = ` {\n "messages" : [{"role":"user","content":"${long}"}],"max_tokens":9,\n "model":"claude-sonnet-5-5" }\n`
    expect(sent(written)).toBe(written.replace(' }\n', ' ,"cache_control":{"type":"ephemeral"}}\n'))
  })

  it.each([
    ['claude-sonnet-5-5', 4_500, true],
    ['claude-sonnet-5-5', 3_500, false],
    ['claude-opus-4-8', 15_000, false],
    ['claude-opus-4-8', 17_000, true],
    ['claude-haiku-5-5', 7_500, false],
    ['claude-haiku-5-5', 8_500, true],
    ['claude-fable-5-2', 2_100, true],
  ])('%s with %i characters: %s, since the model keeps no shorter prefix', (model, chars, is) => {
    expect(isMarked(of({ model, ...saying({ text: 'x'.repeat(chars) }) }))).toBe(is)
  })

  it("leaves the caller's own for the whole, also one that says no", () => {
    expect(isMarked(of(hour))).toBe(false)
    expect(isMarked(of({ cache_control: null }))).toBe(false)
  })

  it('never makes a fifth marker', () => {
    expect(isMarked(of(system(3)))).toBe(true)
    expect(isMarked(of(system(4)))).toBe(false)
    expect(isMarked(of(system(7)))).toBe(false)
    const spread = { ...system(3), ...saying({ text: long, ...five }) }
    expect(isMarked(of(spread))).toBe(false)
  })

  it('counts markers in tools and in results of tools, and those written with escapes', () => {
    const tools = { tools: [{ name: 'a', input_schema: {}, ...five }] }
    const inResult = saying({
      type: 'tool_result',
      content: [{ type: 'text', text: long, ...five }],
    })
    expect(isMarked(of({ ...system(1), ...tools, ...inResult }))).toBe(true)
    expect(isMarked(of({ ...system(2), ...tools, ...inResult }))).toBe(false)
    const escaped = of(system(4)).replaceAll('"cache_control"', String.raw`"cache\u005fcontrol"`)
    expect(isMarked(escaped)).toBe(false)
  })

  it('takes text that only looks like a marker for text', () => {
    const text = '"cache_control":{"type":"ephemeral"} cache_control '.repeat(400)
    expect(isMarked(of(saying({ text })))).toBe(true)
  })

  it('adds none where a block of messages is kept for an hour, which Claude refuses beside five minutes', () => {
    expect(isMarked(of(saying({ text: long, ...hour })))).toBe(false)
    const spaced = of(saying({ text: long, ...hour })).replace('"ttl":', ' "ttl" : ')
    expect(isMarked(spaced)).toBe(false)
    expect(isMarked(of(saying({ text: long, ...five })))).toBe(true)
    const inSystem = { system: [{ type: 'text', text: 's', ...hour }] }
    expect(isMarked(of(inSystem))).toBe(true)
  })

  it('makes valid JSON with the same fields and one more, whatever the body is', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.boolean(), (fields, pretty) => {
        const unknown = Object.entries(fields).map(([name, value]) => [`x_${name}`, value])
        const json = JSON.stringify(
          { ...Object.fromEntries(unknown), ...said },
          null,
          pretty ? 2 : 0,
        )
        const result = JSON.parse(sent(json)) as Record<string, unknown>
        const { cache_control: marker, ...others } = result
        expect(others).toEqual(JSON.parse(json))
        if (marker !== undefined) expect(marker).toEqual({ type: 'ephemeral' })
      }),
    )
  })
})

describe('asking Claude to keep what many requests share as well', () => {
  const shared = (fields: object): Record<string, unknown> =>
    JSON.parse(sent(of(fields), 'shared_too')) as Record<string, unknown>
  const block = { type: 'text', text: 's' }

  it('marks a system prompt of one text, which becomes a block, and leaves all else', () => {
    const system = `"quoted" \u00fc ${long}`
    expect(shared({ system })).toEqual({
      ...said,
      system: [{ type: 'text', text: system, ...five }],
      ...five,
    })
  })

  it('marks the last block of a system prompt, else the last tool', () => {
    const tool = { name: 'a', input_schema: { type: 'object' } }
    const tools = [{ ...tool, description: long }, tool]
    expect(shared({ system: [{ ...block, text: long }, block], tools: [tool] })).toEqual({
      ...said,
      system: [
        { ...block, text: long },
        { ...block, ...five },
      ],
      tools: [tool],
      ...five,
    })
    expect(shared({ tools })['tools']).toEqual([tools[0], { ...tool, ...five }])
    const spaced = of({ system: [{ ...block, text: long }] }).replace('}],"', '} \n ] ,"')
    expect(JSON.parse(sent(spaced, 'shared_too'))).toMatchObject({ system: [five] })
  })

  it.each<[string, object]>([
    ['it is too short', { system: 'short' }],
    ['its caller marks it himself', { system: [{ ...block, text: long, ...five }, block] }],
    ['its caller marks the tools', { system: long, tools: [{ name: 'a', ...five }] }],
    ['it is nothing', { system: null }],
    ['it has no block', { system: [] }],
    [
      'one marker is left',
      { system: long, ...saying(...[1, 2, 3].map(() => ({ text: 'x', ...five }))) },
    ],
  ])('marks only the whole where %s', (_, fields) => {
    expect(shared(fields)).toEqual({ ...said, ...fields, ...five })
  })

  it('marks nothing where four markers are there', () => {
    const four = saying(...[1, 2, 3, 4].map(() => ({ text: 'x', ...five })))
    expect(shared({ system: long, ...four })).toEqual({ ...said, system: long, ...four })
  })
})
