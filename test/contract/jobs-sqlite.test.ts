// Jobs in a SQLite file: what was acknowledged is there after a crash, its messages are sent again where they are lost,
// and no tenant fills the queues.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, expect, test } from 'vitest'
import { JOB_SCHEMAS } from '../../src/adapters/jobs/job-sql.ts'
import { JobsHost } from '../../src/adapters/jobs/jobs-host.ts'
import { configure, transact } from '../../src/adapters/sqlite/database.ts'
import { sqliteJobs } from '../../src/adapters/sqlite/jobs.ts'
import { broke, error, submission, succeeded } from '../support/jobs.ts'
import { describeJobs } from './jobs.ts'

const dir = mkdtempSync(join(tmpdir(), 'sluice-jobs-'))
afterAll(() => rmSync(dir, { recursive: true }))

function openFile(name: string): DatabaseSync {
  const db = new DatabaseSync(join(dir, name))
  configure(db)
  return db
}

describeJobs('SQLite', () => {
  const db = openFile(`${crypto.randomUUID()}.db`)
  const jobs = sqliteJobs(db, { now: Date.now, run: () => Promise.resolve() })
  return {
    jobs,
    stop: () => {
      jobs.stop()
      db.close()
    },
  }
})

interface Clocked {
  readonly host: JobsHost
  readonly sent: string[]
  now: number
  wakeAt: number | null
}

/** A host whose time the test makes. */
function clocked(db: DatabaseSync, now = 1_000_000): Clocked {
  for (const schema of JOB_SCHEMAS) db.exec(schema)
  const sent: string[] = []
  const it: Clocked = {
    sent,
    now,
    wakeAt: null,
    host: new JobsHost({
      tenant: 'acme',
      sql: { all: (query, ...values) => db.prepare(query).all(...values) },
      transact: (work) => transact(db, work),
      now: () => it.now,
      newId: () => crypto.randomUUID(),
      send: (outbox) => {
        for (const messages of outbox.values()) sent.push(...messages.map(({ job }) => job))
      },
      wakeAt: (at) => {
        it.wakeAt = at
      },
    }),
  }
  return it
}

const take = (it: Clocked, change: Parameters<typeof submission>[0] = {}): string => {
  const { job, facts, request } = submission(change)
  it.host.submit({ job, facts, pieces: 1, first: request, idempotency: null })
  return job.id
}

test('a message that is lost is sent again, later each time, until its job is claimed', () => {
  const it = clocked(openFile('lost.db'))
  const id = take(it)
  expect(it.sent).toEqual([id])
  for (const delayMs of [15_000, 30_000, 60_000, 120_000]) {
    expect(it.wakeAt).toBe(it.now + delayMs)
    it.now += delayMs
    it.host.tick()
  }
  expect(it.sent).toEqual([id, id, id, id, id])
  it.host.claim(id, { token: 'a', leaseMs: 60_000 })
  expect(it.wakeAt).toBe(it.now + 60_000)
})

test('after a crash between the commit and the message, the next process sends it', () => {
  const db = openFile('crash.db')
  const first = clocked(db)
  const id = take(first)
  const second = clocked(db, first.now + 15_000)
  second.host.tick()
  expect(second.sent).toEqual([id])
})

test('after a crash of a runner its job comes back, and after the last attempt it is dead', () => {
  const it = clocked(openFile('runner.db'))
  const id = take(it, { attempts: 2 })
  for (const token of ['a', 'b']) {
    expect(it.host.claim(id, { token, leaseMs: 60_000 }).kind).toBe('run')
    it.now = it.wakeAt ?? 0
    it.host.tick()
  }
  expect(it.host.look(id)?.job).toMatchObject({ status: 'failed', isDead: true, attempts: 2 })
})

test('a tenant has so many messages in a lane at most, and the next goes when one is taken', () => {
  const it = clocked(openFile('window.db'))
  const ids = Array.from({ length: 120 }, () => take(it))
  expect(it.sent).toEqual(ids.slice(0, 50))
  for (const [n, id] of ids.entries()) {
    const token = `t${n}`
    expect(it.host.claim(id, { token, leaseMs: 60_000 }).kind).toBe('run')
    it.host.finish(id, {
      ...succeeded(token, new Uint8Array(1)),
      pieces: 1,
      first: new Uint8Array(1),
    })
  }
  expect(it.sent).toEqual(ids)
  // One lane's jobs are no other's.
  const high = take(it, { lane: 'high' })
  expect(it.sent.at(-1)).toBe(high)
})

test('a lane whose job was refused rests, longer each time, and hands out one at a time until one is served', () => {
  const it = clocked(openFile('pace.db'))
  const ids = Array.from({ length: 5 }, () => take(it))
  const refuse = (id: string): void => {
    expect(it.host.claim(id, { token: id, leaseMs: 60_000 }).kind).toBe('run')
    const end = { kind: 'refused', error, retryAfterMs: 0 } as const
    it.host.finish(id, { token: id, end, pieces: 0, first: null })
  }
  expect(it.sent.splice(0)).toEqual(ids)
  for (const id of ids) refuse(id)
  expect(it.sent).toEqual([])
  expect(it.wakeAt).toBe(it.now + 5_000)
  it.now += 5_000
  it.host.tick()
  const [probe = ''] = it.sent
  expect(it.sent.splice(0)).toHaveLength(1)
  it.host.claim(probe, { token: 'p', leaseMs: 60_000 })
  expect(it.sent.splice(0)).toHaveLength(1)
  const first = new Uint8Array(1)
  it.host.finish(probe, { ...succeeded('p', first), pieces: 1, first })
  expect(it.sent).toHaveLength(3)
})

test('a result lives as long as was promised, a dead letter until it is seen to', () => {
  const db = openFile('life.db')
  const it = clocked(db)
  const done = take(it)
  const dead = take(it, { attempts: 1 })
  for (const id of [done, dead]) it.host.claim(id, { token: id, leaseMs: 60_000 })
  const first = new Uint8Array(1)
  it.host.finish(done, { ...succeeded(done, first), pieces: 1, first })
  it.host.finish(dead, { token: dead, end: broke, pieces: 0, first: null })
  for (const id of [done, dead]) it.host.told(id, 0)
  it.now += 3_599_999
  it.host.tick()
  expect(it.host.look(done)).not.toBeNull()
  it.now += 1
  it.host.tick()
  expect(it.host.look(done)).toBeNull()
  expect(it.host.look(dead)).not.toBeNull()
  it.now += 14 * 86_400_000
  it.host.tick()
  expect(it.host.look(dead)).toBeNull()
  for (const table of ['jobs', 'job_pieces', 'job_uploads']) {
    expect(db.prepare(`SELECT * FROM ${table}`).all()).toEqual([])
  }
  expect(it.wakeAt).toBeNull()
})

test('an end that nobody told is announced until it was told', () => {
  const it = clocked(openFile('told.db'))
  const id = take(it, { lifeMs: 5_000 })
  it.now = it.wakeAt ?? 0
  it.host.tick()
  expect(it.host.look(id)?.job.status).toBe('expired')
  expect(it.sent).toEqual([id, id])
  it.now = it.wakeAt ?? 0
  it.host.tick()
  expect(it.sent).toEqual([id, id, id])
  it.host.told(id, 0)
  expect(it.wakeAt).toBeGreaterThan(it.now + 3_000_000)
})

test('pieces of a request that never came whole are forgotten', () => {
  const db = openFile('pieces.db')
  const it = clocked(db)
  expect(it.host.begin('job_x', { key: 'k', bodyHash: 'h' })).toBeNull()
  it.host.putPiece({ id: 'job_x', part: 'request', number: 1, bytes: new Uint8Array(9) })
  expect(it.host.begin('job_y', { key: 'k', bodyHash: 'h' })).toEqual({ kind: 'in_flight' })
  it.now = it.wakeAt ?? 0
  it.host.tick()
  expect(db.prepare('SELECT * FROM job_pieces').all()).toEqual([])
  expect(it.host.begin('job_y', { key: 'k', bodyHash: 'h' })).toBeNull()
})
