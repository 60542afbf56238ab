// Where a gate outlives its object. Loading begins a new epoch; saving writes only what the core marked as
// unsaved, so most calls write nothing. All writes of one event become durable together, and the platform's
// output gate holds every answer until they are.
import { restoreGate, toRecord, type GateRecord } from '../src/core/admission/gate-record.ts'
import type { Gate } from '../src/core/admission/gate-state.ts'
import {
  graceMs,
  predecessorOf,
  type ReservationRecord,
} from '../src/core/admission/reservation.ts'
import type { GateSettings } from '../src/core/admission/settings.ts'
import type { NumberedEntry, TimelineEntry } from '../src/core/admission/timeline.ts'
import { GATE_MIGRATIONS } from './gate-schema.ts'
import { migrate, type SchemaStorage } from './migrate.ts'

const TIMELINE_KEPT = 1_000
const TIMELINE_IN_MEMORY = 100

// Types, not interfaces: SqlStorage asks for an index signature.
type GateRow = { epoch: number; record: string | null }
type ReservationRow = { -readonly [Column in keyof ReservationRecord]: ReservationRecord[Column] }
type TimelineRow = { -readonly [Column in keyof NumberedEntry]: NumberedEntry[Column] }

export class GateStore {
  readonly #storage: SchemaStorage

  constructor(storage: SchemaStorage) {
    this.#storage = storage
    migrate(storage, GATE_MIGRATIONS)
  }

  /** Begins a new epoch: what former ones may have out comes along as predecessors. */
  load(settings: GateSettings): Gate {
    const { sql } = this.#storage
    const { epoch, record } = sql
      .exec<GateRow>('UPDATE gate SET epoch = epoch + 1 RETURNING epoch, record')
      .one()
    const reservations = sql.exec<ReservationRow>('SELECT * FROM reservations').toArray()
    return restoreGate(settings, epoch, {
      record: record === null ? null : parseRecord(record),
      predecessors: reservations.map(predecessorOf),
      timeline: this.readTimeline(TIMELINE_IN_MEMORY),
    })
  }

  save(gate: Gate): void {
    const { reservation, unsaved } = gate
    if (reservation.unsaved) this.#saveReservation(gate)
    for (const entry of unsaved.transitions) this.#appendTimeline(entry)
    // The record rides along with any other write: it costs little then, and is fresher after a restart.
    if (reservation.unsaved || unsaved.record) {
      this.#storage.sql.exec('UPDATE gate SET record = ?', JSON.stringify(toRecord(gate)))
    }
    reservation.unsaved = false
    unsaved.record = false
    unsaved.transitions.length = 0
  }

  #saveReservation(gate: Gate): void {
    const { sql } = this.#storage
    const { slots, writtenAt } = gate.reservation
    const former = gate.predecessors.map(({ epoch }) => epoch)
    sql.exec(
      'DELETE FROM reservations WHERE epoch < ? AND epoch NOT IN (SELECT value FROM json_each(?))',
      gate.epoch,
      JSON.stringify(former),
    )
    for (const each of gate.predecessors) {
      sql.exec('UPDATE reservations SET slots = ? WHERE epoch = ?', each.slots, each.epoch)
    }
    sql.exec(
      'INSERT OR REPLACE INTO reservations VALUES (?, ?, ?, ?, ?)',
      gate.epoch,
      slots,
      writtenAt,
      graceMs(gate.settings),
      gate.settings.leaseTtlMs,
    )
  }

  #appendTimeline(entry: TimelineEntry): void {
    const { sql } = this.#storage
    sql.exec(
      'INSERT INTO timeline (at, kind, modelClass, "from", "to", cause) VALUES (?, ?, ?, ?, ?, ?)',
      entry.at,
      entry.kind,
      entry.modelClass,
      entry.from,
      entry.to,
      entry.cause,
    )
    sql.exec('DELETE FROM timeline WHERE seq <= (SELECT max(seq) FROM timeline) - ?', TIMELINE_KEPT)
  }

  /** Forgets everything but the epoch, so that nobody's older lease can be taken for one of the next. */
  clear(): void {
    const { sql } = this.#storage
    sql.exec('UPDATE gate SET record = NULL')
    sql.exec('DELETE FROM reservations')
    sql.exec('DELETE FROM timeline')
  }

  /** The newest entries of those before a number, oldest first. */
  readTimeline(length: number, before: number = Number.MAX_SAFE_INTEGER): NumberedEntry[] {
    return this.#storage.sql
      .exec<TimelineRow>(
        'SELECT seq, at, kind, modelClass, "from", "to", cause FROM timeline WHERE seq < ? ORDER BY seq DESC LIMIT ?',
        before,
        length,
      )
      .toArray()
      .toReversed()
  }
}

/** Our own writing: `restoreGate` refuses what another version wrote, and a torn one is as good as none. */
const parseRecord = (json: string): GateRecord | null => {
  try {
    return JSON.parse(json) as GateRecord
  } catch {
    return null
  }
}
