// Claude's SDK in a real Chromium page, served from another origin than the gateway's: what CORS lets through, and
// what it must not.
import type { Browser, Page as BrowserPage } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { changeDatabase } from '../../support/gateway-database.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { journalAt, newTag } from '../../support/gateway-simulator.ts'
import { launchBrowser, noBrowser, type PageServer, servePage } from './chromium.ts'
import type { Page } from './page-script.ts'

const READABLE = [
  'request-id',
  'sluice-upstream-request-id',
  'sluice-trace-id',
  'sluice-account',
  'sluice-attempts',
  'sluice-queued-ms',
  'ratelimit',
  'ratelimit-policy',
  'server-timing',
]

describe.skipIf(noBrowser !== null)(
  `in a page${noBrowser === null ? '' : `: ${noBrowser}`}`,
  () => {
    let gateway: TestGateway
    let pages: PageServer
    let browser: Browser

    beforeAll(async () => {
      ;[gateway, pages, browser] = await Promise.all([
        startTestGateway({ settings: { SLUICE_KEY_CACHE_MS: 0 } }),
        servePage(),
        launchBrowser(),
      ])
      allow('dev-premium', [pages.origins.byAddress])
      allow('dev-enterprise', ['https://elsewhere.example'])
      allow('dev-free', null)
    })
    afterAll(async () => {
      await browser?.close()
      await pages?.close()
      await gateway?.stop()
    })
    afterEach(async () => {
      await Promise.all(browser.contexts().map((context) => context.close()))
    })

    function allow(tenant: string, origins: string[] | null): void {
      const settings = JSON.stringify(origins === null ? {} : { origins })
      const sql = 'UPDATE tenants SET settings = ?1 WHERE id = ?2'
      expect(changeDatabase(gateway.dir, sql, settings, tenant)).toBe(1)
    }

    async function openPage(origin: string): Promise<BrowserPage> {
      const page = await browser.newPage()
      await page.goto(origin)
      return page
    }

    async function makeToken(tier: 'free' | 'premium' | 'enterprise', origin: string) {
      const answer = await fetch(`${gateway.url}/v1/tokens`, {
        method: 'POST',
        headers: { 'x-api-key': gateway.keys[tier], 'content-type': 'application/json' },
        body: JSON.stringify({ ttl_seconds: 60, origin }),
      })
      expect(answer.status).toBe(200)
      return ((await answer.json()) as { token: string }).token
    }

    const access = (tier: 'free' | 'premium' | 'enterprise') => ({
      baseURL: gateway.url,
      apiKey: gateway.keys[tier],
    })

    function call<Name extends keyof Page>(
      page: BrowserPage,
      name: Name,
      ...values: Parameters<Page[Name]>
    ): Promise<Awaited<ReturnType<Page[Name]>>> {
      const list = values.map((value) => JSON.stringify(value)).join(', ')
      return page.evaluate(`page.${name}(${list})`)
    }

    test('an answer streams into the page piece by piece', async () => {
      const page = await openPage(pages.origins.byAddress)
      const prompt = '[sim:text=A story in small pieces][sim:deltas=5][sim:gap=10]'
      const report = await call(page, 'stream', access('premium'), prompt)
      expect(report.text).toBe('A story in small pieces')
      expect(report.pieces.length).toBeGreaterThan(1)
      expect(report.outputTokens).toBeGreaterThan(0)
    })

    test('the preflight names the origin and each header that the SDK sends, and never *', async () => {
      const page = await openPage(pages.origins.byAddress)
      const network = await page.context().newCDPSession(page)
      const preflights: { status: number; headers: Record<string, string> }[] = []
      const asked: string[] = []
      network.on('Network.responseReceived', ({ type, response }) => {
        if (type === 'Preflight') preflights.push(response)
      })
      network.on('Network.requestWillBeSentExtraInfo', ({ headers }) => {
        const names =
          headers['Access-Control-Request-Headers'] ?? headers['access-control-request-headers']
        if (names !== undefined) asked.push(...names.split(','))
      })
      await network.send('Network.enable')
      await call(page, 'stream', access('premium'), 'Hello')
      expect(preflights.map(({ status }) => status)).toEqual([204])
      const headers = new Headers(preflights[0]?.headers)
      expect(headers.get('access-control-allow-origin')).toBe(pages.origins.byAddress)
      const allowed = (headers.get('access-control-allow-headers') ?? '').split(/,\s*/)
      expect(allowed).not.toContain('*')
      expect(asked).toEqual(expect.arrayContaining(['authorization', 'anthropic-version']))
      expect(allowed).toEqual(expect.arrayContaining(asked))
    })

    test('the page reads the headers that the gateway exposes', async () => {
      const page = await openPage(pages.origins.byAddress)
      const headers = await call(page, 'readHeaders', access('premium'), READABLE)
      for (const name of READABLE) expect(headers[name], name).toEqual(expect.any(String))
    })

    test('an error is raised by its class, with its reason', async () => {
      const page = await openPage(pages.origins.byAddress)
      const report = await call(page, 'fail', { baseURL: gateway.url, apiKey: 'not-a-key' })
      expect(report).toMatchObject({ status: 401, reason: 'key_malformed' })
    })

    test('leaving in mid-stream ends the call to Claude', async () => {
      const page = await openPage(pages.origins.byAddress)
      const tag = newTag()
      expect(await call(page, 'leave', access('premium'), tag)).toBe('aborted')
      expect((await journalAt(gateway.simulatorUrl).one(tag)).outcome).toBe('aborted')
    })

    test('closing the page in mid-stream ends the call to Claude', async () => {
      const page = await openPage(pages.origins.byAddress)
      const tag = newTag()
      const prompt = '[sim:tokens=180][sim:deltas=100][sim:gap=50]'
      const pending = call(page, 'stream', access('premium'), prompt, tag)
      pending.catch(() => {})
      const journal = journalAt(gateway.simulatorUrl)
      await journal.wait({ tag, state: 'began' })
      await page.close()
      expect((await journal.one(tag)).outcome).toBe('aborted')
    })

    test('an origin that no tenant allows is refused before anything is sent', async () => {
      const page = await openPage(pages.origins.byName)
      const before = (await journalAt(gateway.simulatorUrl).list({})).length
      const report = await call(page, 'fail', access('premium'))
      expect(report).toMatchObject({ status: null })
      expect(report?.message).toMatch(/connection/i)
      expect((await journalAt(gateway.simulatorUrl).list({})).length).toBe(before)
    })

    test("an origin that another tenant allows is refused for this tenant's key, readably", async () => {
      const page = await openPage(pages.origins.byAddress)
      const report = await call(page, 'fail', access('enterprise'))
      expect(report).toMatchObject({ status: 403, reason: 'origin_not_allowed' })
    })

    test("a token of a tenant that names no origins streams an answer into its origin's pages", async () => {
      const origin = pages.origins.byAddress
      const token = await makeToken('free', origin)
      const page = await openPage(origin)
      const ours = { baseURL: gateway.url, apiKey: token }
      const report = await call(page, 'stream', ours, '[sim:text=For this page][sim:deltas=3]')
      expect(report.text).toBe('For this page')
    })

    test("a token is of no use in another origin's pages, also where the preflight is answered", async () => {
      allow('dev-premium', [pages.origins.byAddress, pages.origins.byName])
      const token = await makeToken('free', pages.origins.byAddress)
      const page = await openPage(pages.origins.byName)
      const report = await call(page, 'fail', { baseURL: gateway.url, apiKey: token })
      expect(report).toMatchObject({ status: 403, reason: 'origin_not_allowed' })
      allow('dev-premium', [pages.origins.byAddress])
    })

    test('a tenant that names no origins is closed to pages', async () => {
      const page = await openPage(pages.origins.byAddress)
      const report = await call(page, 'fail', access('free'))
      expect(report).toMatchObject({ status: 403, reason: 'origin_not_allowed' })
    })
  },
)
