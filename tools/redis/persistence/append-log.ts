// The append-only log of the embedded engine. A unit is handed to the kernel before it is acknowledged, so it outlives
// a kill of this process; the disk is told each second. The log is rewritten from a snapshot at start and whenever it
// has outgrown its last snapshot.
import {
  closeSync,
  copyFileSync,
  existsSync,
  fdatasync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { CommandError } from '../engine/reply.ts'
import type { Command, Engine, Journal } from '../engine/engine.ts'
import { lockDirectory } from './directory-lock.ts'
import type { DirectoryLock } from './directory-lock.ts'
import { decodeRecord, encodeRecord } from './records.ts'
import { snapshot } from './snapshot.ts'

const syncEveryMs = 1000
const rewriteAboveBytes = 64 * 1024 * 1024
const chunkBytes = 1024 * 1024
const lineFeed = 0x0a

/** Fills the engine from the directory's log and keeps there what it changes from now on. */
export function openLog(directory: string, engine: Engine): AppendLog {
  mkdirSync(directory, { recursive: true })
  const lock = lockDirectory(directory)
  try {
    return new AppendLog(directory, engine, lock)
  } catch (error) {
    lock.release()
    throw error
  }
}

export class AppendLog implements Journal {
  readonly #path: string
  readonly #directory: string
  readonly #engine: Engine
  readonly #lock: DirectoryLock
  readonly #syncer: NodeJS.Timeout
  /** Units that are not written yet. After a failed write they wait here, so that log and memory agree again. */
  #pending: Buffer[] = []
  #file = -1
  #size = 0
  #baseSize = 0
  #dirty = false

  constructor(directory: string, engine: Engine, lock: DirectoryLock) {
    this.#directory = directory
    this.#path = join(directory, 'redis.log')
    this.#engine = engine
    this.#lock = lock
    this.#load()
    this.#rewrite()
    engine.attachJournal(this)
    this.#syncer = setInterval(() => this.#sync(), syncEveryMs)
    this.#syncer.unref()
  }

  append(effects: readonly Command[]): void {
    this.#pending.push(Buffer.from(encodeRecord(effects), 'utf8'))
  }

  /** Returns once all units are with the kernel; throws the error that a client gets to see when they are not. */
  flush(): void {
    if (this.#pending.length === 0) return
    try {
      while (this.#pending.length > 0) this.#writeSome()
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'unknown'
      throw new CommandError(`MISCONF Errors writing to the AOF file: ${reason}`)
    }
    this.#dirty = true
    if (this.#size > Math.max(rewriteAboveBytes, 4 * this.#baseSize)) this.#tryRewrite()
  }

  close(): void {
    clearInterval(this.#syncer)
    try {
      this.flush()
      fsyncSync(this.#file)
    } finally {
      closeSync(this.#file)
      this.#lock.release()
    }
  }

  /** The kernel may take less than asked: what it took is taken off, so nothing is written twice. */
  #writeSome(): void {
    const chunk = this.#pending.length === 1 ? this.#pending[0] : Buffer.concat(this.#pending)
    if (chunk === undefined) return
    this.#pending = [chunk]
    const written = writeSync(this.#file, chunk)
    this.#size += written
    this.#pending = written === chunk.length ? [] : [chunk.subarray(written)]
  }

  #sync(): void {
    if (!this.#dirty) return
    this.#dirty = false
    fdatasync(this.#file, (error) => {
      if (error) this.#dirty = true
    })
  }

  /** Replays up to the first damaged line: a crash tears the last one only, and what follows damage is not trusted. */
  #load(): void {
    if (!existsSync(this.#path)) return
    const bytes = readFileSync(this.#path)
    let start = 0
    while (start < bytes.length) {
      const end = bytes.indexOf(lineFeed, start)
      const effects = end < 0 ? null : decodeRecord(bytes.subarray(start, end))
      if (effects === null) return this.#reportDamage(bytes, start)
      this.#engine.replay(effects)
      start = end + 1
    }
  }

  /** A torn last line was never acknowledged. Anything more is a fault of the disk: a copy stays for inspection. */
  #reportDamage(bytes: Buffer, start: number): void {
    const torn = !bytes.subarray(start, -1).includes(lineFeed)
    if (!torn) copyFileSync(this.#path, `${this.#path}.damaged`)
    const outcome = torn ? 'never acknowledged' : 'kept in redis.log.damaged'
    console.error(`redis: the log ends in ${bytes.length - start} damaged bytes, ${outcome}`)
  }

  /** A log that cannot be shortened now goes on as it is, until it has grown that much again. */
  #tryRewrite(): void {
    try {
      this.#rewrite()
    } catch {
      this.#baseSize = this.#size
    }
  }

  /** Writes the snapshot beside the log and puts it in its place in one step. */
  #rewrite(): void {
    const fresh = `${this.#path}.new`
    rmSync(fresh, { force: true })
    const file = openSync(fresh, 'a', 0o600)
    let size = 0
    try {
      for (const chunk of chunks(snapshot(this.#engine.db))) size += writeAll(file, chunk)
      fsyncSync(file)
      renameSync(fresh, this.#path)
    } catch (error) {
      closeSync(file)
      throw error
    }
    syncDirectory(this.#directory)
    if (this.#file >= 0) closeSync(this.#file)
    this.#file = file
    this.#size = size
    this.#baseSize = size
  }
}

function* chunks(units: Iterable<Command[]>): Generator<Buffer> {
  let lines: string[] = []
  let size = 0
  for (const unit of units) {
    const line = encodeRecord(unit)
    lines.push(line)
    size += line.length
    if (size < chunkBytes) continue
    yield Buffer.from(lines.join(''), 'utf8')
    lines = []
    size = 0
  }
  yield Buffer.from(lines.join(''), 'utf8')
}

function writeAll(file: number, bytes: Buffer): number {
  let done = 0
  while (done < bytes.length) done += writeSync(file, bytes, done)
  return done
}

function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
