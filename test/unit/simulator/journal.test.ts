// The journal, the gauge and the books: what a test reads of what came and what became of it.
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Journal, type JournalEntry } from '../../../tools/simulator/journal.ts'
import { ask, MODEL, post, rawRequest, simulatorForFile } from './support.ts'

const running = await simulatorForFile({ keepBodyBytes: 100_000 })
const control = async (path: string, init: RequestInit = {}) =>
  (await (await fetch(`${running.url}/__sim/${path}`, init)).json()) as {
    data: (JournalEntry & { headers: [string, string][]; body_base64: string })[]
  }

describe('an entry', () => {
  it('tells what came, with the credential cut, and what was answered', async () => {
    const body = JSON.stringify(ask('hello'))
    const answer = await post(running, body, {
      path: '/v1/messages?beta=true',
      headers: { 'anthropic-sim-tag': 'mine', 'x-stainless-lang': 'js' },
    })
    const said = (await answer.json()) as { id: string; usage: { output_tokens: number } }
    const [entry] = (await control('journal?tag=mine&body=1')).data
    expect(entry).toMatchObject({
      method: 'POST',
      path: '/v1/messages',
      query: '?beta=true',
      org: 'test',
      model: MODEL,
      stream: false,
      status: 200,
      outcome: 'completed',
      message_id: said.id,
      request_id: answer.headers.get('request-id'),
      tokens: said.usage.output_tokens,
      body_bytes: Buffer.byteLength(body),
      body_sha256: createHash('sha256').update(body).digest('hex'),
      aborted_at: null,
    })
    const sent = Object.fromEntries(entry?.headers ?? [])
    expect(sent['x-api-key']).toBe('***test')
    expect(sent['x-stainless-lang']).toBe('js')
    expect(Buffer.from(entry?.body_base64 ?? '', 'base64').toString()).toBe(body)
  })

  it('is found by its state, outcome, status and number', async () => {
    await post(running, ask('one'))
    await post(running, ask('two'), { headers: { 'anthropic-sim-fault': '529' } })
    expect((await control('journal?outcome=faulted')).data).toHaveLength(1)
    expect((await control('journal?status=200')).data).toHaveLength(1)
    expect((await control('journal?since=1')).data[0]?.n).toBe(2)
    await control('journal', { method: 'DELETE' })
    expect((await control('journal')).data).toHaveLength(0)
  })
})

describe('a wait', () => {
  it('ends when the entry comes, and with nothing when the time is over', async () => {
    const waiting = control('journal/wait?tag=later&timeout_ms=5000')
    await post(running, ask('x'), { headers: { 'anthropic-sim-tag': 'later' } })
    expect((await waiting).data).toHaveLength(1)
    expect((await control('journal/wait?tag=never&timeout_ms=20')).data).toHaveLength(0)
  })

  it('counts entries, also the ones that were there before', async () => {
    await post(running, ask('x'))
    const waiting = control('journal/wait?count=3&timeout_ms=5000')
    await post(running, ask('x'))
    await post(running, ask('x'))
    expect((await waiting).data).toHaveLength(3)
  })
})

const PHASES: [phase: string, fault: string, text: string, state: string][] = [
  ['before the first byte', 'hang', 'x', 'arrived'],
  ['after the first event', 'stall;after=1', 'x', 'began'],
  ['within a paced stream', '', '[sim:tokens=4000][sim:gap=5]', 'began'],
]
const WAYS: [way: string, leave: (socket: ReturnType<typeof rawRequest>) => void][] = [
  ['a FIN', (socket) => socket.end()],
  ['an RST', (socket) => socket.resetAndDestroy()],
]

describe('a caller that leaves', () => {
  const cases = PHASES.flatMap(([phase, fault, text, state]) =>
    WAYS.map(([way, leave]) => ({ phase, fault, text, state, way, leave })),
  )

  it.each(cases)('$phase by $way is seen at once', async ({ fault, text, state, leave }) => {
    const extra = fault === '' ? '' : `anthropic-sim-fault: ${fault}\r\n`
    const body = ask(text, { stream: true, max_tokens: 5_000 })
    const socket = rawRequest(running, body, extra)
    socket.resume()
    await running.journal.wait({ state })
    const leftAt = Date.now()
    leave(socket)
    const [entry] = await running.journal.wait({ outcome: 'aborted' })
    expect(entry?.aborted_at).not.toBeNull()
    expect((entry?.aborted_at ?? 0) - leftAt).toBeLessThan(100)
    expect(entry?.tokens).toBeLessThan(4_000)
    expect(running.sim.gauge.inFlight('test')).toBe(0)
  })

  it('while it sends its body is aborted too', async () => {
    const socket = rawRequest(running, ask('x'), 'x-pad: 1\r\n')
    await running.journal.wait({})
    socket.write(
      'POST /v1/messages HTTP/1.1\r\nhost: s\r\nx-api-key: k\r\ncontent-length: 1000\r\n\r\n{"mod',
    )
    await running.journal.wait({ state: 'arrived', since: 1 })
    socket.destroy()
    const [entry] = await running.journal.wait({ since: 1 })
    expect(entry).toMatchObject({ outcome: 'aborted', status: null })
  })

  it('pays for what was produced until then', async () => {
    const body = ask('[sim:tokens=4000][sim:gap=2]', { stream: true, max_tokens: 5_000 })
    const socket = rawRequest(running, body)
    socket.resume()
    await running.journal.wait({ state: 'began' })
    while ((running.journal.list()[0]?.tokens ?? 0) < 50) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    socket.destroy()
    const [entry] = await running.journal.wait({})
    const usage = (await control('usage')) as unknown as { data: { output_tokens: number }[] }
    expect(usage.data[0]?.output_tokens).toBe(entry?.tokens)
    expect(entry?.tokens).toBeGreaterThanOrEqual(50)
  })
})

describe('the books', () => {
  it('sum tokens and requests by organization and model', async () => {
    const answers = await Promise.all([1, 2, 3].map((n) => post(running, ask(`hello ${n}`))))
    const said = (await Promise.all(answers.map((answer) => answer.json()))) as {
      usage: { input_tokens: number; output_tokens: number }
    }[]
    const sum = (field: 'input_tokens' | 'output_tokens') =>
      said.reduce((total, one) => total + one.usage[field], 0)
    expect((await control('usage')).data).toEqual([
      {
        org: 'test',
        model: MODEL,
        service_tier: 'standard',
        requests: 3,
        input_tokens: sum('input_tokens'),
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 0,
        output_tokens: sum('output_tokens'),
      },
    ])
  })

  it('show the most calls that were open at once', async () => {
    const slow = { headers: { 'anthropic-sim-fault': 'slow=50' } }
    await Promise.all([1, 2, 3, 4].map(() => post(running, ask('x'), slow)))
    expect(running.sim.gauge.view()).toMatchObject({
      orgs: { test: { in_flight: 0, max_in_flight: 4 } },
    })
  })

  it('are empty again after a reset, and the run starts anew', async () => {
    const first = await post(running, ask('x'))
    await control('reset', { method: 'POST' })
    const second = await post(running, ask('x'))
    expect(second.headers.get('request-id')).toBe(first.headers.get('request-id'))
    expect(running.journal.length).toBe(1)
  })
})

describe('the ring', () => {
  it('keeps the last entries only', () => {
    const journal = new Journal(3)
    for (let n = 1; n <= 10; n++) journal.add({ n } as JournalEntry)
    expect(journal.list().map((entry) => entry.n)).toEqual([8, 9, 10])
    journal.clear()
    expect(journal.list()).toEqual([])
    journal.add({ n: 11 } as JournalEntry)
    expect(journal.length).toBe(1)
  })
})
