// A stream that waits in the queue: comments while it waits, Claude's bytes after, and what a failure looks like then.
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  claudeError,
  type House,
  type HouseOptions,
  latch,
  openHouse,
  stream,
} from '../../support/house.ts'

const PING_MS = 40

let house: House
let release: () => Promise<void>
afterEach(async () => {
  await release()
  house.stop()
})

interface FullOptions {
  readonly settings?: HouseOptions['settings']
  /** What comes of the calls after the first. */
  readonly later?: () => Response | Promise<Response>
}

/** An account whose only slot is taken until `release`. */
async function openFull({ settings, later = () => stream() }: FullOptions = {}): Promise<void> {
  const held = latch()
  house = await openHouse({
    accounts: [{ id: 'alpha', max_concurrent: 1 }],
    settings: { SLUICE_PING_MS: PING_MS, ...settings },
    answer: () => (house.sent.length === 1 ? stream(held.opened) : later()),
  })
  const holding = await house.ask({ stream: true })
  release = async () => {
    held.open()
    if (!holding.bodyUsed) await holding.text()
  }
}

const ask = (signal?: AbortSignal) =>
  house.ask({ stream: true }, signal === undefined ? {} : { signal })

/** Reads until the text matches. */
async function readUntil(answer: Response, pattern: RegExp) {
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
  if (reader === undefined) throw new Error('The answer has no body')
  let text = ''
  while (!pattern.test(text)) {
    const { value, done } = await reader.read()
    if (done) break
    text += value
  }
  return { text, reader }
}

const errorIn = (text: string): { error: { type: string; message: string; details?: unknown } } =>
  JSON.parse(/event: error\ndata: (.*)\n\n$/.exec(text)?.[1] ?? 'null')

describe('a stream that waits for a slot', () => {
  it('says where it stands, and then is what Claude sends, byte for byte', async () => {
    await openFull()
    const answer = await ask()
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toContain('text/event-stream')
    expect(Number(answer.headers.get('sluice-queued-ms'))).toBeGreaterThanOrEqual(PING_MS)
    const { text, reader } = await readUntil(answer, /: .*\n\n: .*\n\n/)
    expect(text).toMatch(
      /^: waiting in lane normal, place 1 there, 1 waiting in all, \d+ ms so far\n\n/,
    )
    await release()
    let rest = ''
    for (let next = await reader.read(); !next.done; next = await reader.read()) rest += next.value
    const events = (text + rest).replaceAll(/^:.*\n\n/gm, '')
    expect(events).toBe(await stream().text())
    await house.settled()
    expect(house.inUse('alpha')).toBe(0)
  })

  it('is told a refusal as an event, with the reason and when to try again', async () => {
    await openFull({ settings: { SLUICE_QUEUE_WAIT_MS: 3 * PING_MS } })
    const answer = await ask()
    expect(answer.status).toBe(200)
    const text = await answer.text()
    expect(text).toMatch(/^: waiting/)
    const { error } = errorIn(text)
    expect(error.type).toBe('overloaded_error')
    expect(error.message).toMatch(
      /no slot came free.*waited \d+ ms in lane normal.*try again in \d+ s/,
    )
    expect(error.details).toMatchObject({ reason: 'queue_timeout' })
  })

  it("is told Claude's own last word as it came", async () => {
    await openFull({ later: () => claudeError(400, 'invalid_request_error') })
    const answer = await ask()
    await release()
    const text = await answer.text()
    expect(errorIn(text)).toEqual({
      type: 'error',
      error: { type: 'invalid_request_error', message: 'Claude says invalid_request_error' },
    })
  })

  it('leaves the queue when its caller stops reading', async () => {
    await openFull()
    const answer = await ask()
    const waiting = () => house.accounts.map((each) => house.gates.gateOf(each).queue.byTicket.size)
    expect(waiting()).toEqual([1])
    await answer.body?.cancel()
    await vi.waitFor(() => expect(waiting()).toEqual([0]))
    await release()
    await house.settled()
    expect(house.sent).toHaveLength(1)
    expect(house.inUse('alpha')).toBe(0)
  })

  it('leaves the queue when its caller is cut off', async () => {
    await openFull()
    const caller = new AbortController()
    const answer = await ask(caller.signal)
    const { reader } = await readUntil(answer, /waiting/)
    caller.abort()
    const waiting = () => house.accounts.map((each) => house.gates.gateOf(each).queue.byTicket.size)
    await vi.waitFor(() => expect(waiting()).toEqual([0]))
    await reader.cancel()
    await release()
    await house.settled()
    expect(house.sent).toHaveLength(1)
  })

  it('aborts upstream when its caller leaves after the wait', async () => {
    const never = latch()
    await openFull({ later: () => stream(never.opened) })
    const answer = await ask()
    await release()
    const { reader } = await readUntil(answer, /Hello/)
    await reader.cancel()
    await vi.waitFor(() => expect(house.sent[1]?.signal.aborted).toBe(true))
    await vi.waitFor(() => expect(house.inUse('alpha')).toBe(0))
    never.open()
  })
})

describe('headers are not sent early', () => {
  it('where the wait is short: a refusal is a plain status', async () => {
    await openFull({ settings: { SLUICE_QUEUE_WAIT_MS: PING_MS - 10 } })
    const answer = await ask()
    expect(answer.status).toBe(503)
    expect(answer.headers.get('sluice-reason')).toBe('queue_timeout')
  })

  it('for a call that is no stream', async () => {
    await openFull({ settings: { SLUICE_QUEUE_WAIT_MS: 3 * PING_MS } })
    expect((await house.ask()).status).toBe(503)
  })

  it('while Claude, and not the gate, is waited for', async () => {
    await openFull({
      later: async () => {
        await new Promise((resolve) => setTimeout(resolve, 3 * PING_MS))
        return claudeError(400, 'invalid_request_error')
      },
    })
    await release()
    expect((await ask()).status).toBe(400)
  })
})
