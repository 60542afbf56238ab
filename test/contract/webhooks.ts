// What every adapter of the port Webhooks promises: kept before it is acknowledged, delivered at least once under one id,
// signed, by the schedule, and never where it may not go. The schedule of these tests is 0, 0 seconds.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Delivery } from '../../src/core/webhooks/delivery.ts'
import type { EndedJob } from '../../src/core/webhooks/event.ts'
import type { Webhooks } from '../../src/ports/webhooks.ts'
import { eventually } from '../support/eventually.ts'
import { hang, verifiedBy, type WebhookReceiver } from '../support/webhook-receiver.ts'

export interface WebhookRig {
  readonly webhooks: Webhooks
  readonly receiver: WebhookReceiver
  addTenant(id: string, endpoint: string | null): Promise<void>
  /** Another secret from now on; the one before signs too until then. */
  rotate(tenant: string, formerUntil: number): Promise<void>
  secretsOf(tenant: string): Promise<readonly string[]>
  /** As an operator's list has it; null: it has none of this id. */
  listed(id: string): Promise<{ readonly state: unknown; readonly attempts: unknown } | null>
  stop(): void | Promise<void>
}

/** What the rigs are set to. */
export const RIG_SETTINGS = { timeoutMs: 300, scheduleSeconds: [0, 0] } as const

const WITHIN = { withinMs: 10_000 }
const ENDPOINT = 'https://hooks.example.com/in'

export function describeWebhooks(name: string, open: () => WebhookRig | Promise<WebhookRig>): void {
  describe(`webhooks: ${name}`, () => {
    let rig: WebhookRig
    let tenant: string
    let jobs = 0

    beforeEach(async () => {
      rig = await open()
      tenant = `t-${crypto.randomUUID()}`
      await rig.addTenant(tenant, ENDPOINT)
    })
    afterEach(() => rig.stop())

    const ended = (change: Partial<EndedJob> = {}): EndedJob => ({
      tenant,
      id: `job_${(jobs += 1)}`,
      status: 'succeeded',
      endedAt: Date.now(),
      url: null,
      shown: { id: `job_${jobs}`, status: 'succeeded' },
      ...change,
    })

    const settled = async (job: EndedJob): Promise<Delivery> => {
      const delivery = await eventually(
        () => rig.webhooks.deliveryOfJob(job.tenant, job.id),
        (found) => found !== null && found.state !== 'pending',
        WITHIN,
      )
      if (delivery === null) throw new Error('Nobody was told')
      return delivery
    }

    it('delivers an event, signed so that the library verifies it, and lists it', async () => {
      const job = ended()
      await rig.webhooks.jobEnded(job)
      const { state, attempts, id, sentTo } = await settled(job)
      expect({ state, sentTo }).toEqual({ state: 'succeeded', sentTo: ENDPOINT })
      expect(attempts).toMatchObject([{ status: 204, error: null }])
      const [seen, ...more] = rig.receiver.at(ENDPOINT)
      expect(more).toEqual([])
      expect(seen?.id).toBe(id)
      expect(id).toMatch(/^msg_[0-9a-f]{32}$/)
      expect(JSON.parse(seen?.body ?? '')).toEqual({
        type: 'job.succeeded',
        timestamp: new Date(job.endedAt).toISOString(),
        data: job.shown,
      })
      const [secret = '', ...others] = await rig.secretsOf(tenant)
      expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
      expect(others).toEqual([])
      expect(verifiedBy(seen!, [secret])).toEqual([secret])
      const listed = await eventually(
        () => rig.listed(id),
        (row) => row?.state === 'succeeded',
        WITHIN,
      )
      expect(JSON.parse(String(listed?.attempts))).toEqual(attempts)
    })

    it('has one id and one delivery however often an event is told, even at once', async () => {
      const job = ended()
      await Promise.all(Array.from({ length: 20 }, () => rig.webhooks.jobEnded(job)))
      await settled(job)
      await rig.webhooks.jobEnded({ ...job, endedAt: job.endedAt + 5 })
      await settled(job)
      expect(rig.receiver.at(ENDPOINT)).toHaveLength(1)
    })

    it('delivers many, each once, and none twice', async () => {
      const all = Array.from({ length: 40 }, () => ended())
      await Promise.all(all.map((job) => rig.webhooks.jobEnded(job)))
      await Promise.all(all.map(settled))
      const ids = rig.receiver.at(ENDPOINT).map(({ id }) => id)
      expect(ids).toHaveLength(40)
      expect(new Set(ids).size).toBe(40)
    })

    it("goes to the job's own address where it has one, and nowhere where there is none", async () => {
      const own = ended({ url: 'https://own.example.com:8443/x' })
      await rig.webhooks.jobEnded(own)
      await settled(own)
      expect(rig.receiver.at('https://own.example.com:8443/x')).toHaveLength(1)
      expect(rig.receiver.at(ENDPOINT)).toHaveLength(0)
      const silent = `${tenant}-silent`
      await rig.addTenant(silent, null)
      const job = ended({ tenant: silent })
      await rig.webhooks.jobEnded(job)
      expect(await rig.webhooks.deliveryOfJob(silent, job.id)).toBeNull()
    })

    it('tries again under the same id until the schedule is over', async () => {
      const job = ended()
      rig.receiver.answer(ENDPOINT, () => new Response('no', { status: 500 }))
      await rig.webhooks.jobEnded(job)
      const { state, attempts, id } = await settled(job)
      expect(state).toBe('failed')
      expect(attempts.map(({ status, error }) => [status, error])).toEqual([
        [500, 'status'],
        [500, 'status'],
        [500, 'status'],
      ])
      const seen = rig.receiver.at(ENDPOINT)
      expect(seen.map((each) => each.id)).toEqual([id, id, id])
      expect(new Set(seen.map(({ body }) => body)).size).toBe(1)
    })

    it('takes a redirect for a failure, and does not follow it', async () => {
      const job = ended()
      const inner = 'https://inner.example.com/'
      rig.receiver.answer(ENDPOINT, (tries) =>
        tries === 0
          ? new Response(null, { status: 302, headers: { location: inner } })
          : new Response(null, { status: 200 }),
      )
      await rig.webhooks.jobEnded(job)
      const { attempts } = await settled(job)
      expect(attempts.map(({ error }) => error)).toEqual(['redirect', null])
      expect(rig.receiver.at(inner)).toHaveLength(0)
    })

    it('gives a receiver up that does not answer in time, and tries again', async () => {
      const job = ended()
      rig.receiver.answer(ENDPOINT, (tries, signal) =>
        tries === 0 ? hang(tries, signal) : new Response(null, { status: 200 }),
      )
      await rig.webhooks.jobEnded(job)
      const { attempts } = await settled(job)
      expect(attempts).toMatchObject([{ status: null, error: 'timeout' }, { status: 200 }])
      expect(attempts[0]?.durationMs).toBeGreaterThanOrEqual(RIG_SETTINGS.timeoutMs - 20)
    })

    it('waits as long as the receiver asks', async () => {
      const job = ended()
      rig.receiver.answer(ENDPOINT, (tries) =>
        tries === 0
          ? new Response(null, { status: 503, headers: { 'retry-after': '1' } })
          : new Response(null, { status: 200 }),
      )
      await rig.webhooks.jobEnded(job)
      await settled(job)
      const [first, second] = rig.receiver.at(ENDPOINT)
      expect(second!.at - first!.at).toBeGreaterThanOrEqual(990)
    })

    it('sends nothing more to an address that said 410, until one is delivered again by hand', async () => {
      let gone = true
      rig.receiver.answer(ENDPOINT, () => new Response(null, { status: gone ? 410 : 200 }))
      const first = ended()
      await rig.webhooks.jobEnded(first)
      expect((await settled(first)).state).toBe('disabled')
      const second = ended()
      await rig.webhooks.jobEnded(second)
      const delivery = await settled(second)
      expect(delivery).toMatchObject({ state: 'disabled', attempts: [] })
      expect(rig.receiver.at(ENDPOINT)).toHaveLength(1)

      gone = false
      const { id } = await settled(first)
      expect(await rig.webhooks.redeliver(tenant, id)).toBe(true)
      expect(await settled(first)).toMatchObject({ state: 'succeeded', attemptCount: 2 })
      const third = ended()
      await rig.webhooks.jobEnded(third)
      expect((await settled(third)).state).toBe('succeeded')
      expect(await rig.webhooks.redeliver(tenant, 'msg_unknown')).toBe(false)
    })

    it('connects to no inner address, whoever registered it', async () => {
      const urls = ['https://127.0.0.1/', 'https://0x7f.1/', 'https://[::ffff:10.0.0.1]/']
      for (const url of [...urls, 'https://metadata.google.internal/', 'http://example.com/']) {
        const job = ended({ url })
        await rig.webhooks.jobEnded(job)
        const { state, attempts } = await settled(job)
        expect(state).toBe('failed')
        expect(attempts).toMatchObject([{ status: null, error: 'address_refused' }])
      }
      expect(rig.receiver.seen).toEqual([])
    })

    it('signs with both secrets while a rotation lasts, and then with the new one alone', async () => {
      const [former = ''] = await rig.secretsOf(tenant)
      await rig.rotate(tenant, Date.now() + 60_000)
      const during = ended()
      await rig.webhooks.jobEnded(during)
      await settled(during)
      const secrets = await rig.secretsOf(tenant)
      expect(secrets).toHaveLength(2)
      expect(secrets[1]).toBe(former)
      expect(verifiedBy(rig.receiver.at(ENDPOINT)[0]!, secrets)).toEqual(secrets)

      await rig.rotate(tenant, 0)
      const after = ended()
      await rig.webhooks.jobEnded(after)
      await settled(after)
      const [latest = '', ...rest] = await rig.secretsOf(tenant)
      expect(rest).toEqual([])
      expect(verifiedBy(rig.receiver.at(ENDPOINT)[1]!, [latest, ...secrets])).toEqual([latest])
    })

    it("keeps one receiver's silence from another's news", async () => {
      const slow = 'https://slow.example.com/'
      rig.receiver.answer(slow, hang)
      const slowJobs = Array.from({ length: 10 }, () => ended({ url: slow }))
      await Promise.all(slowJobs.map((job) => rig.webhooks.jobEnded(job)))
      const quick = ended()
      const toldAt = Date.now()
      await rig.webhooks.jobEnded(quick)
      await settled(quick)
      // Ten hang for 300 ms, three at a time: behind them all it would have been 1.2 s and more.
      expect(rig.receiver.at(ENDPOINT)[0]!.at - toldAt).toBeLessThan(900)
      rig.receiver.answer(slow, () => new Response(null, { status: 204 }))
      await Promise.all(slowJobs.map(settled))
    })

    it('forgets what a removed tenant was to be told', async () => {
      const job = ended({ tenant: `${tenant}-gone`, url: ENDPOINT })
      await rig.webhooks.jobEnded(job)
      expect(await settled(job)).toMatchObject({ state: 'failed', attempts: [] })
      expect(rig.receiver.seen).toEqual([])
    })
  })
}
