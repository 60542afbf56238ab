// Reads what the gateway says of usage, by HTTP.
import { expect } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { send } from '../../support/raw-http.ts'
import { shownBill, type ShownRow, sumOf } from './books.ts'

const SETTLED_WITHIN_MS = 5_000

export interface Report {
  readonly data: readonly ShownRow[]
  readonly has_more: boolean
  readonly next_page: string | null
  readonly spent_usd: { readonly today: number; readonly month: number }
  readonly limits: Readonly<Record<string, number | null>>
  readonly in_use: Readonly<Record<string, number>>
  readonly left: Readonly<Record<string, number | null>>
  readonly resets_at: Readonly<Record<string, string | null>>
}

export async function getReport(url: string, path: string, credential: string): Promise<Report> {
  const headers = [['authorization', `Bearer ${credential}`]] as const
  const answer = await send(url, { path, headers })
  expect(answer.status, answer.body.toString()).toBe(200)
  return JSON.parse(answer.body.toString()) as Report
}

export const readUsage = (url: string, key: string, query = 'group_by=model'): Promise<Report> =>
  getReport(url, `/v1/usage?${query}`, key)

/** Once so many calls have been billed. */
export async function settledUsage(url: string, key: string, requests: number): Promise<Report> {
  const count = ({ data }: Report): number => sumOf(data.map(shownBill)).requests
  const report = await eventually(
    () => readUsage(url, key),
    (each) => count(each) >= requests,
    { withinMs: SETTLED_WITHIN_MS },
  )
  expect(count(report)).toBe(requests)
  return report
}
