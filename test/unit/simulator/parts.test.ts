// The small parts, by properties: cutting text, filling schemas, reading forms, splitting events, the
// timer wheel, the command line.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { splitEvents } from '../../../tools/simulator/canned.ts'
import { parseOptions } from '../../../tools/simulator/cli-options.ts'
import { valueFor } from '../../../tools/simulator/generate-json.ts'
import { textAbout, textOfTokens } from '../../../tools/simulator/generate-text.ts'
import { MultipartReader } from '../../../tools/simulator/multipart.ts'
import { Random } from '../../../tools/simulator/random.ts'
import { signThinking, thinkingIsOurs } from '../../../tools/simulator/signature.ts'
import { TimerWheel } from '../../../tools/simulator/timer-wheel.ts'
import { cutToTokens, estimateTokens } from '../../../tools/simulator/tokens.ts'

const anyText = fc.string({ unit: 'grapheme', maxLength: 200 })

describe('cutToTokens', () => {
  it('gives a prefix within the tokens that cuts no character', () => {
    fc.assert(
      fc.property(anyText, fc.nat(60), (text, tokens) => {
        const cut = cutToTokens(text, tokens)
        expect(text.startsWith(cut)).toBe(true)
        expect(estimateTokens(cut)).toBeLessThanOrEqual(tokens)
        expect(cut.isWellFormed()).toBe(text.isWellFormed())
        // What is left out would not have fitted.
        if (cut !== text) expect(Buffer.byteLength(cut)).toBeGreaterThan(tokens * 4 - 4)
      }),
    )
  })
})

describe('generated text', () => {
  it('has exactly the tokens asked for, whatever the seed and prompt', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        anyText,
        fc.integer({ min: 1, max: 400 }),
        (seed, prompt, tokens) => {
          expect(estimateTokens(textOfTokens(new Random(seed), prompt, tokens))).toBe(tokens)
        },
      ),
    )
  })

  it('speaks of the words of the prompt', () => {
    const text = textAbout(new Random(1), 'Explain photosynthesis', 300)
    expect(text).toContain('photosynthesis')
    expect(text).not.toContain('TOPIC')
  })
})

describe('a value for a schema', () => {
  const leaf = fc.constantFrom(
    { type: 'string' },
    { type: 'integer', minimum: 2, maximum: 9 },
    { type: 'boolean' },
    { enum: ['x', 'y'] },
    { type: 'array', items: { type: 'number' }, minItems: 2, maxItems: 3 },
  )

  it('has every required property and only declared ones', () => {
    const properties = fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), leaf)
    fc.assert(
      fc.property(properties, fc.integer(), (declared, seed) => {
        const required = Object.keys(declared)
        const schema = { type: 'object', properties: declared, required }
        const value = valueFor(new Random(seed), schema) as Record<string, unknown>
        expect(Object.keys(value)).toEqual(required)
        for (const [name, property] of Object.entries(declared)) {
          expect(fits(value[name], property), `${name} ${JSON.stringify(value[name])}`).toBe(true)
        }
      }),
    )
  })

  it('ends on a schema that contains itself', () => {
    const schema: Record<string, unknown> = { type: 'object', required: ['next'] }
    schema['properties'] = { next: schema }
    expect(() => valueFor(new Random(1), schema)).not.toThrow()
  })
})

function fits(value: unknown, schema: Record<string, unknown>): boolean {
  if (Array.isArray(schema['enum'])) return schema['enum'].includes(value)
  switch (schema['type']) {
    case 'integer':
      return Number.isInteger(value) && Number(value) >= 2 && Number(value) <= 9
    case 'array':
      return Array.isArray(value) && value.length >= 2 && value.length <= 3
    default:
      return typeof value === schema['type']
  }
}

describe('the multipart reader', () => {
  it('reads the same parts however the bytes are cut', () => {
    const parts = fc.array(fc.uint8Array({ maxLength: 200 }), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(parts, fc.integer({ min: 1, max: 40 }), (bodies, size) => {
        const form = buildForm(bodies)
        const read: Buffer[] = []
        let current: Buffer[] = []
        const reader = new MultipartReader('edge', {
          head: () => {
            current = []
          },
          data: (bytes) => current.push(Buffer.from(bytes)),
          end: () => read.push(Buffer.concat(current)),
        })
        for (let at = 0; at < form.length; at += size) reader.push(form.subarray(at, at + size))
        expect(reader.isDone).toBe(true)
        expect(read).toEqual(bodies.map((body) => Buffer.from(body)))
      }),
    )
  })
})

function buildForm(bodies: Uint8Array[]): Buffer {
  const chunks = bodies.flatMap((body, index) => [
    Buffer.from(`--edge\r\ncontent-disposition: form-data; name="p${index}"\r\n\r\n`),
    Buffer.from(body),
    Buffer.from('\r\n'),
  ])
  return Buffer.concat([...chunks, Buffer.from('--edge--\r\n')])
}

describe('splitEvents', () => {
  it('joins to the bytes it was given', () => {
    const lines = fc.array(fc.constantFrom('event: x\n', 'data: y\n', '\n', 'z'), { maxLength: 40 })
    fc.assert(
      fc.property(lines, (parts) => {
        const body = Buffer.from(parts.join(''))
        expect(Buffer.concat(splitEvents(body))).toEqual(body)
      }),
    )
  })
})

describe('a signature', () => {
  it('holds for the text that was signed and for no other', () => {
    fc.assert(
      fc.property(anyText, anyText, fc.stringMatching(/^[a-z]{4}$/), (text, other, nonce) => {
        const signature = signThinking(text, nonce)
        expect(thinkingIsOurs(text, signature)).toBe(true)
        expect(thinkingIsOurs(other, signature)).toBe(other === text)
      }),
    )
  })
})

describe('the timer wheel', () => {
  it('runs each callback once, in order of time and never early', async () => {
    const wheel = new TimerWheel()
    const ran: { due: number; at: number }[] = []
    const delays = Array.from({ length: 300 }, (_, index) => (index * 37) % 90)
    await new Promise<void>((resolve) => {
      for (const delay of [...delays, 1_100]) {
        const due = wheel.now() + delay
        wheel.at(due, () => {
          ran.push({ due, at: wheel.now() })
          if (ran.length === delays.length + 1) resolve()
        })
      }
    })
    expect(ran).toHaveLength(301)
    for (const { due, at } of ran) expect(at).toBeGreaterThanOrEqual(due - 1)
    const ticks = ran.map(({ due }) => Math.ceil(due))
    expect(ticks).toEqual(ticks.toSorted((a, b) => a - b))
  })

  it('runs nothing after it was stopped', async () => {
    const wheel = new TimerWheel()
    let ran = 0
    wheel.after(5, () => ran++)
    wheel.after(1_500, () => ran++)
    wheel.stop()
    await new Promise<void>((resolve) => wheel.after(15, resolve))
    expect(ran).toBe(0)
  })
})

describe('the command line', () => {
  it('reads its options', () => {
    const args = [
      '--port',
      '0',
      '--latency',
      '0.5',
      '--fault-rate',
      '0.1',
      '--faults',
      '529|error;after=2',
    ]
    expect(parseOptions([...args, '--rpm', '50', '--json'])).toMatchObject({
      kind: 'run',
      options: {
        port: 0,
        latencyScale: 0.5,
        faultRate: 0.1,
        faultMix: ['529', 'error;after=2'],
        limits: { requests_per_minute: 50 },
        json: true,
      },
    })
    expect(parseOptions(['--latency', 'none'])).toMatchObject({ options: { latencyScale: 0 } })
    expect(parseOptions(['--help'])).toEqual({ kind: 'help' })
  })

  it.each([['--nope'], ['--port', 'x'], ['--fault-rate', '2'], ['--faults', 'nonsense']])(
    'names the problem of %s %s',
    (...args) => {
      expect(parseOptions(args)).toMatchObject({ kind: 'problem' })
    },
  )
})
