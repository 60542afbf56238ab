// A tenant's jobs as an operator sees them: counted by lane, and those that are dead letters.
import type { Lane } from '../../core/admission/admission.ts'
import type { Listed, Page } from '../../ports/admin.ts'
import type { DeadFilter, LaneCounts, StoredJob } from '../../ports/jobs.ts'
import { LANES } from './catch-up.ts'
import type { TenantRows } from './job-sql.ts'
import { minuteOf, recordOf } from './job-store.ts'

const RATE_MINUTES = 5

export const countLanes = (rows: TenantRows, now: number): readonly LaneCounts[] =>
  LANES.map((lane) => countLane(rows, lane, now))

function countLane(rows: TenantRows, lane: Lane, now: number): LaneCounts {
  const [open] = rows(
    `SELECT count(CASE status WHEN 'queued' THEN 1 END) AS queued,
       count(CASE status WHEN 'running' THEN 1 END) AS running,
       min(CASE status WHEN 'queued' THEN created_at END) AS oldest
     FROM jobs WHERE tenant = ?1 AND status IN ('queued', 'running') AND lane = ?2`,
    lane,
  )
  const [dead] = rows(
    'SELECT count(*) AS n FROM jobs WHERE tenant = ?1 AND dead_at IS NOT NULL AND lane = ?2',
    lane,
  )
  const [rate] = rows(
    `SELECT coalesce(sum(came), 0) AS came, coalesce(sum(went), 0) AS went FROM job_rates
     WHERE tenant = ?1 AND lane = ?2 AND minute > ?3`,
    lane,
    minuteOf(now) - RATE_MINUTES,
  )
  const oldest = open?.['oldest']
  return {
    lane,
    queued: Number(open?.['queued']),
    running: Number(open?.['running']),
    dead: Number(dead?.['n']),
    oldestAt: typeof oldest === 'number' ? oldest : null,
    cameIn: Number(rate?.['came']),
    wentOut: Number(rate?.['went']),
  }
}

/** The latest first. */
export function listDead(
  rows: TenantRows,
  { lane }: DeadFilter,
  { limit, after }: Page,
): Listed<StoredJob> {
  const [deadAt, id] = after ?? [Number.MAX_SAFE_INTEGER, '']
  const found = rows(
    `SELECT record FROM jobs WHERE tenant = ?1 AND dead_at IS NOT NULL AND (dead_at, id) < (?2, ?3)
       AND (?4 IS NULL OR lane = ?4) ORDER BY dead_at DESC, id DESC LIMIT ?5`,
    Number(deadAt),
    String(id),
    lane,
    limit + 1,
  ).map(recordOf)
  const data = found.slice(0, limit)
  const last = data.at(-1)
  const next =
    found.length > limit && last !== undefined ? [last.job.endedAt ?? 0, last.job.id] : null
  return { data, next }
}

/** One list of several tenants' lists, each the latest first. */
export function mergeDead(lists: readonly Listed<StoredJob>[], { limit }: Page): Listed<StoredJob> {
  const all = lists
    .flatMap(({ data }) => data)
    .toSorted((a, b) => (b.job.endedAt ?? 0) - (a.job.endedAt ?? 0) || compare(b.job.id, a.job.id))
  const data = all.slice(0, limit)
  const last = data.at(-1)
  const hasMore = all.length > limit || lists.some(({ next }) => next !== null)
  const next = hasMore && last !== undefined ? [last.job.endedAt ?? 0, last.job.id] : null
  return { data, next }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

export function sumLanes(all: readonly (readonly LaneCounts[])[]): readonly LaneCounts[] {
  return LANES.map((lane) =>
    all
      .flat()
      .filter((counts) => counts.lane === lane)
      .reduce(addCounts, NONE(lane)),
  )
}

const NONE = (lane: Lane): LaneCounts => ({
  lane,
  queued: 0,
  running: 0,
  dead: 0,
  oldestAt: null,
  cameIn: 0,
  wentOut: 0,
})

const addCounts = (a: LaneCounts, b: LaneCounts): LaneCounts => ({
  lane: a.lane,
  queued: a.queued + b.queued,
  running: a.running + b.running,
  dead: a.dead + b.dead,
  oldestAt:
    a.oldestAt === null || b.oldestAt === null
      ? (a.oldestAt ?? b.oldestAt)
      : Math.min(a.oldestAt, b.oldestAt),
  cameIn: a.cameIn + b.cameIn,
  wentOut: a.wentOut + b.wentOut,
})
