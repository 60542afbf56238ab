// Figures for a monitoring system: who may read them, and what they say.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { renderMetrics } from '../../../src/core/metrics/text-format.ts'
import { ADMIN_TOKEN, type AdminHouse, openAdminHouse } from '../../support/admin-house.ts'

describe('metrics as text', () => {
  it('have help, type and a line for each sample, with labels escaped', () => {
    const text = renderMetrics([
      {
        name: 'a_total',
        help: 'Two\nlines, a \\.',
        type: 'counter',
        samples: [
          { labels: {}, value: 1 },
          { labels: { who: 'a "b" \\ c\nd', lane: 'low' }, value: 0.5 },
        ],
      },
      { name: 'nothing', help: 'Not known now.', type: 'gauge', samples: [] },
    ])
    expect(text).toBe(
      [
        String.raw`# HELP a_total Two\nlines, a \\.`,
        '# TYPE a_total counter',
        'a_total 1',
        String.raw`a_total{who="a \"b\" \\ c\nd",lane="low"} 0.5`,
        '',
      ].join('\n'),
    )
  })
})

describe('GET /metrics', () => {
  let house: AdminHouse
  beforeEach(() => {
    house = openAdminHouse()
  })
  afterEach(() => house.close())

  const scrape = (headers: Readonly<Record<string, string>>) =>
    house.gateway.fetch(new Request('http://sluice.test/metrics', { headers }), null)

  it('is for the admin token alone', async () => {
    for (const headers of [{}, { authorization: 'Bearer something-else' }]) {
      expect((await scrape(headers)).status).toBe(401)
    }
  })

  it('tells of the queues by lane and of the accounts', async () => {
    const answer = await scrape({ authorization: `Bearer ${ADMIN_TOKEN}` })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    const lines = (await answer.text()).split('\n')
    for (const line of [
      'sluice_part_up{part="jobs"} 1',
      'sluice_queue_depth{lane="low"} 0',
      'sluice_queue_oldest_age_seconds{lane="high"} 0',
      'sluice_account_gate_up{account="default"} 1',
      'sluice_account_usable{account="default"} 1',
      'sluice_account_limit{account="default"} 50',
      'sluice_account_in_use{account="default"} 0',
      'sluice_account_waiting{account="default",lane="normal"} 0',
    ]) {
      expect(lines).toContain(line)
    }
  })
})
