// Each fault, as a client sees it.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseFaults } from '../../../tools/simulator/faults.ts'
import { ask, headers, post, rawRequest, readEvents, simulatorForFile } from './support.ts'

const running = await simulatorForFile()
const CAPTURES = '../shared/data/claude-api-captures/sse'

function faulty(fault: string, extra: Record<string, unknown> = {}): Promise<Response> {
  return post(running, ask('[sim:tokens=60]', extra), { headers: { 'anthropic-sim-fault': fault } })
}

const streamed = (fault: string) => faulty(fault, { stream: true })

describe('a status fault', () => {
  it.each([
    ['400', 400, 'invalid_request_error'],
    ['401', 401, 'authentication_error'],
    ['402', 402, 'billing_error'],
    ['403', 403, 'permission_error'],
    ['404', 404, 'not_found_error'],
    ['413', 413, 'request_too_large'],
    ['429', 429, 'rate_limit_error'],
    ['500', 500, 'api_error'],
    ['503', 503, 'api_error'],
    ['504', 504, 'timeout_error'],
    ['529', 529, 'overloaded_error'],
    ['502=json', 502, 'api_error'],
  ])('%s answers %i %s', async (fault, status, type) => {
    const answer = await faulty(fault)
    expect(answer.status).toBe(status)
    expect(await answer.json()).toMatchObject({ type: 'error', error: { type } })
    expect((await running.journal.wait({}))[0]).toMatchObject({ outcome: 'faulted', fault, status })
  })

  it.each([
    ['429', undefined, '1'],
    ['429;retry-after=7', undefined, '7'],
    ['429=ramp', 'ramp_limit_exceeded', '1'],
    ['429=spend', 'enforced_spend_limit_reached', null],
    ['429=contract', 'contract_spend_limit_reached', null],
  ])('%s has the code %s and retry-after %s', async (fault, code, retryAfter) => {
    const answer = await faulty(fault)
    const body = (await answer.json()) as { error: { details?: { error_code: string } } }
    expect(body.error.details?.error_code).toBe(code)
    expect(answer.headers.get('retry-after')).toBe(retryAfter)
  })

  it('502 is a page of the edge', async () => {
    const answer = await faulty('502')
    expect(answer.status).toBe(502)
    expect(answer.headers.get('content-type')).toContain('text/html')
    expect(await answer.text()).toContain('<h1>502 Bad Gateway</h1>')
  })

  it('says what it is told to', async () => {
    const answer = await faulty('529;message=busy%2C%20sorry;should-retry=false;type=api_error')
    expect(answer.headers.get('x-should-retry')).toBe('false')
    expect(await answer.json()).toMatchObject({
      error: { type: 'api_error', message: 'busy, sorry' },
    })
  })
})

describe('a broken connection', () => {
  it('reset before the headers fails the request', async () => {
    await expect(streamed('reset')).rejects.toThrow(/fetch failed/)
    expect((await running.journal.wait({}))[0]).toMatchObject({ outcome: 'faulted', status: null })
  })

  it('reset after three events gives three events and an error', async () => {
    const answer = await streamed('reset;after=3')
    const { text, failed } = await readAll(answer)
    expect(readEvents(text)).toHaveLength(3)
    expect(failed).toBe(true)
    expect((await running.journal.wait({}))[0]).toMatchObject({ outcome: 'faulted', events: 3 })
  })

  it('truncate ends cleanly without message_stop', async () => {
    const { text, failed } = await readAll(await streamed('truncate;after=4'))
    expect(failed).toBe(false)
    expect(readEvents(text)).toHaveLength(4)
    expect(text).not.toContain('message_stop')
  })

  it('cut ends with a FIN that the chunking did not announce', async () => {
    const { text, failed } = await readAll(await streamed('cut;after=2'))
    expect(failed).toBe(true)
    expect(readEvents(text)).toHaveLength(2)
  })

  it.each(['truncate;after=3', 'cut;after=3', 'reset;after=3', 'truncate;bytes=10'])(
    '%s leaves a plain answer unfinished',
    async (fault) => {
      const { text, failed } = await readAll(await faulty(fault))
      expect(failed).toBe(true)
      expect(() => JSON.parse(text) as unknown).toThrow()
    },
  )

  it('truncate at a byte cuts there', async () => {
    const { text } = await readAll(await streamed('truncate;bytes=50'))
    expect(Buffer.byteLength(text)).toBe(50)
  })
})

describe('a fault within the stream', () => {
  it.each([
    ['error', 0, 'overloaded_error'],
    ['error=api_error;after=3', 3, 'api_error'],
  ])('%s sends %i events and then the error', async (fault, before, type) => {
    const answer = await streamed(fault)
    expect(answer.status).toBe(200)
    const seen = readEvents(await answer.text())
    expect(seen).toHaveLength(before + 1)
    expect(seen.at(-1)).toMatchObject({ event: 'error', data: { error: { type } } })
  })

  it('error of a plain answer is its status', async () => {
    expect((await faulty('error')).status).toBe(529)
    expect((await faulty('error=api_error;after=2')).status).toBe(500)
  })

  it('stall hangs open after the events, until the caller leaves', async () => {
    const abort = new AbortController()
    const answer = await post(running, ask('hello', { stream: true }), {
      headers: { 'anthropic-sim-fault': 'stall;after=2' },
      signal: abort.signal,
    })
    const reader = answer.body?.getReader()
    let text = ''
    while (readEvents(text).length < 2) {
      text += Buffer.from((await reader?.read())?.value ?? []).toString()
    }
    expect(running.journal.list({ state: 'finished' })).toHaveLength(0)
    abort.abort()
    expect((await running.journal.wait({}))[0]).toMatchObject({ outcome: 'aborted', events: 2 })
  })

  it('stall with a time goes on after it', async () => {
    const startedAt = performance.now()
    const text = await (await streamed('stall;after=2;ms=120')).text()
    expect(performance.now() - startedAt).toBeGreaterThan(110)
    expect(text).toContain('message_stop')
  })

  it('bad-json breaks one event, or the plain body', async () => {
    const lines = (await (await streamed('bad-json')).text())
      .split('\n')
      .filter((line) => line.startsWith('data: '))
    const broken = lines.filter((line) => !parses(line.slice(6)))
    expect(broken).toHaveLength(1)
    expect(parses(await (await faulty('bad-json')).text())).toBe(false)
  })

  it('empty, html and wrong-type answer 200 with what they say', async () => {
    expect(await (await streamed('empty')).text()).toBe('')
    expect(await (await faulty('empty')).text()).toBe('')
    expect(await (await streamed('html')).text()).toContain('<html>')
    const wrong = await faulty('wrong-type')
    expect(wrong.headers.get('content-type')).toContain('text/html')
    expect(await wrong.json()).toMatchObject({ type: 'message' })
  })
})

describe('slowness', () => {
  it('slow sends nothing for its time', async () => {
    const startedAt = performance.now()
    expect((await faulty('slow=100')).status).toBe(200)
    expect(performance.now() - startedAt).toBeGreaterThan(95)
  })

  it('slow-body sends the headers at once', async () => {
    const startedAt = performance.now()
    const answer = await faulty('slow-body=300')
    const headersAt = performance.now() - startedAt
    await answer.json()
    expect(headersAt).toBeLessThan(250)
    expect(performance.now() - startedAt).toBeGreaterThan(290)
  })

  it('slow-headers trickles the head over its time and the answer is whole', async () => {
    const socket = rawRequest(running, ask('hi'), 'anthropic-sim-fault: slow-headers=150\r\n')
    const arrivals: string[] = []
    socket.on('data', (bytes) => {
      arrivals.push(bytes.toString())
      if (arrivals.join('').includes('"stop_details"')) socket.end()
    })
    await new Promise((resolve) => socket.once('close', resolve))
    expect(arrivals.length).toBeGreaterThan(8)
    expect(arrivals[0]?.length).toBeLessThan(200)
    expect((await running.journal.wait({}))[0]).toMatchObject({ outcome: 'completed' })
  })

  it('hang answers nothing until the caller leaves, or until its time', async () => {
    const abort = new AbortController()
    const sent = { headers: { 'anthropic-sim-fault': 'hang' }, signal: abort.signal }
    const hanging = post(running, ask('x'), sent)
    await running.journal.wait({ state: 'arrived' })
    abort.abort()
    await expect(hanging).rejects.toThrow()
    expect((await running.journal.wait({}))[0]).toMatchObject({ outcome: 'aborted', bytes: 0 })
    expect((await faulty('hang=20')).status).toBe(200)
  })
})

describe.skipIf(!existsSync(CAPTURES))('canned bodies (skipped without ../shared/data)', () => {
  const names = existsSync(CAPTURES) ? readdirSync(CAPTURES) : []

  it.each([
    ['canned=body', 1],
    ['canned=body;split=1', 1],
    ['canned=body;split=3', 1],
    ['canned=body;split=300', 1],
    ['canned=body;by=event;gap=1', 1],
  ])('are replayed byte for byte by %s', async (fault) => {
    // Byte by byte the large captures take long; the small ones have every kind of border.
    const small = fault.includes('split=1') || fault.includes('split=3')
    const chosen = names
      .map((name) => readFileSync(`${CAPTURES}/${name}`))
      .filter((bytes) => !small || bytes.length < 6_000)
    expect(chosen.length).toBeGreaterThan(3)
    for (const bytes of chosen) {
      await fetch(`${running.url}/__sim/canned/body`, { method: 'PUT', body: bytes })
      const answer = await streamed(fault)
      const got = Buffer.from(await answer.arrayBuffer())
      expect(sha256(got)).toBe(sha256(bytes))
    }
  })
})

describe('a canned JSON body', () => {
  it('comes with its length, and never looks at the request', async () => {
    const body = '{"canned":"naïve"}'
    await fetch(`${running.url}/__sim/canned/answer`, { method: 'PUT', body })
    const fault = 'canned=answer;type=application/json;status=203'
    const answer = await post(running, 'not json', { headers: { 'anthropic-sim-fault': fault } })
    expect(answer.status).toBe(203)
    expect(answer.headers.get('content-length')).toBe('19')
    expect(await answer.text()).toBe(body)
  })

  it('lets the body pass by unread where nobody wants its hash, and still counts it', async () => {
    running.sim.settings.hashBodies = false
    running.sim.canned.set('answer', Buffer.from('{}'))
    running.sim.rules.add({ fault: 'canned=answer;type=application/json' })
    expect(await (await post(running, 'x'.repeat(1_000_000))).text()).toBe('{}')
    expect(running.journal.list()[0]).toMatchObject({ body_bytes: 1_000_000, body_sha256: null })
    expect((await post(running, 'x'.repeat(33 * 1024 * 1024))).status).toBe(413)
  })

  it('that was never put there is a 400', async () => {
    expect((await faulty('canned=none')).status).toBe(400)
  })
})

describe('the choice of a fault', () => {
  const addRule = (rule: unknown) =>
    fetch(`${running.url}/__sim/rules`, { method: 'POST', body: JSON.stringify(rule) })
  const statuses = async (count: number, model = 'claude-sonnet-5-5') => {
    const seen: number[] = []
    for (let i = 0; i < count; i++) seen.push((await post(running, { ...ask('x'), model })).status)
    return seen
  }

  it('follows a rule by model and count', async () => {
    await addRule({ match: { model: 'claude-opus-5-5' }, fault: '529', count: 2 })
    expect(await statuses(2)).toEqual([200, 200])
    expect(await statuses(4, 'claude-opus-5-5')).toEqual([529, 529, 200, 200])
  })

  it('follows a rule by the nth call, every nth and the first few', async () => {
    await addRule({ match: { nth: 2 }, fault: '500' })
    expect(await statuses(3)).toEqual([200, 500, 200])
    running.sim.rules.clear()
    await addRule({ match: { every: 3 }, fault: '500' })
    expect(await statuses(6)).toEqual([200, 200, 500, 200, 200, 500])
    running.sim.rules.clear()
    await addRule({ match: { org: 'test', path: '/v1/messages', first: 1 }, fault: '503' })
    expect(await statuses(2)).toEqual([503, 200])
  })

  it('follows a probability of the seed', async () => {
    await addRule({ match: { probability: 0.5 }, fault: '529' })
    const failed = (await statuses(60)).filter((status) => status === 529).length
    expect(failed).toBeGreaterThan(15)
    expect(failed).toBeLessThan(45)
  })

  it('puts the header before the rules and lists them with their hits', async () => {
    await addRule({ fault: '500' })
    expect((await faulty('503')).status).toBe(503)
    expect(await statuses(1)).toEqual([500])
    const listed = (await (await fetch(`${running.url}/__sim/rules`)).json()) as { data: unknown[] }
    expect(listed.data).toMatchObject([{ id: 'rule_1', fault: '500', hits: 1 }])
  })

  it.each(['nonsense', 'stall;sometimes=1', 'split=0', 'slow=', 'constructor', '__proto__'])(
    'refuses the fault %s',
    async (fault) => {
      expect((await faulty(fault)).status).toBe(400)
      expect(() => parseFaults(fault)).toThrow(/simulator/)
    },
  )

  it('holds for uploads and lists too', async () => {
    const sent = { headers: headers({ 'anthropic-sim-fault': '529' }) }
    expect((await fetch(`${running.url}/v1/models`, sent)).status).toBe(529)
    const upload = { ...sent, method: 'POST', body: 'x'.repeat(100_000) }
    expect((await fetch(`${running.url}/v1/files`, upload)).status).toBe(529)
  })
})

async function readAll(answer: Response): Promise<{ text: string; failed: boolean }> {
  const reader = answer.body?.getReader()
  const chunks: Uint8Array[] = []
  try {
    for (;;) {
      const read = await reader?.read()
      if (read === undefined || read.done) break
      chunks.push(read.value)
    }
    return { text: Buffer.concat(chunks).toString(), failed: false }
  } catch {
    return { text: Buffer.concat(chunks).toString(), failed: true }
  }
}

function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
