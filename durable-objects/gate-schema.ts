// The tables of an account's gate. Append-only: see migrate.ts.
import { DOOR_NEWS_MIGRATION } from './door-news.ts'
import type { Migration } from './migrate.ts'
import { USAGE_OUTBOX_MIGRATION } from './usage-outbox.ts'

export const GATE_MIGRATIONS: readonly Migration[] = [
  {
    id: 'gate_001',
    sql: `
      CREATE TABLE gate (
        id INTEGER PRIMARY KEY CHECK (id = 1), epoch INTEGER NOT NULL, record TEXT
      );
      INSERT INTO gate VALUES (1, 0, NULL);
      CREATE TABLE reservations (
        epoch INTEGER PRIMARY KEY, slots INTEGER NOT NULL, writtenAt INTEGER NOT NULL,
        graceMs INTEGER NOT NULL, ttlMs INTEGER NOT NULL
      );
      CREATE TABLE timeline (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, kind TEXT NOT NULL,
        modelClass TEXT, "from" TEXT NOT NULL, "to" TEXT NOT NULL, cause TEXT NOT NULL
      );`,
  },
  USAGE_OUTBOX_MIGRATION,
  DOOR_NEWS_MIGRATION,
]
