// What was acknowledged is there after a crash, and nothing of a unit that was cut.
import { spawn } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Engine } from '../../../tools/redis/engine/engine.ts'
import { isFailure } from '../../../tools/redis/engine/reply.ts'
import type { AppendLog } from '../../../tools/redis/persistence/append-log.ts'
import { openLog } from '../../../tools/redis/persistence/append-log.ts'
import { eventually } from '../../support/eventually.ts'
import { launch } from './launch.ts'

let dir: string
let logPath: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'redis-'))
  logPath = join(dir, 'redis.log')
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(dir, { recursive: true })
})

interface Opened {
  readonly engine: Engine
  readonly log: AppendLog
}

function open(clock: () => number = () => 1000): Opened {
  const engine = new Engine({ clock })
  return { engine, log: openLog(dir, engine) }
}

/** Everything that a client can see of these keys. */
function look(engine: Engine, keys: readonly string[]) {
  return keys.map((key) => [
    engine.run(['TYPE', key]),
    engine.run(['PEXPIRETIME', key]),
    engine.run(['EVAL', contents, '1', key]),
  ])
}

const contents = `
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'string' then return redis.call('GET', KEYS[1]) end
if kind == 'hash' then return redis.call('HGETALL', KEYS[1]) end
if kind == 'list' then return redis.call('LRANGE', KEYS[1], 0, -1) end
if kind == 'set' then local m = redis.call('SMEMBERS', KEYS[1]) table.sort(m) return m end
if kind == 'zset' then return redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES') end
`

const writes: readonly (readonly string[])[] = [
  ['SET', 's', 'é\0ÿ'],
  ['SET', 'px', 'v', 'PX', '5000'],
  ['SET', 'px', 'w', 'KEEPTTL'],
  ['INCRBYFLOAT', 'f', '0.1'],
  ['INCRBYFLOAT', 'f', '0.2'],
  ['HSET', 'h', 'a', '1', 'b', '2'],
  ['HINCRBYFLOAT', 'h', 'a', '0.5'],
  ['EXPIRE', 'h', '100'],
  ['RPUSH', 'l', 'x', 'y', 'z'],
  ['LPOP', 'l'],
  ['SADD', 'set', 'a', 'b', 'c', 'd', 'e'],
  ['SPOP', 'set', '2'],
  ['ZADD', 'z', '1.5', 'm', '-inf', 'n'],
  ['SETEX', 'gone', '1', 'v'],
  ['EXPIRE', 'gone', '-1'],
  ['GETEX', 's', 'PX', '700'],
  [
    'EVAL',
    "for i = 1, 3 do redis.call('INCR', KEYS[1]) redis.call('PEXPIRE', KEYS[1], 900) end",
    '1',
    'n',
  ],
  ['EVAL', "redis.call('SET', KEYS[1], redis.call('TIME')[1])", '1', 'time'],
  ['RENAME', 'n', 'm'],
  ['COPY', 'z', 'z2'],
]
const keys = ['s', 'px', 'f', 'h', 'l', 'set', 'z', 'z2', 'gone', 'n', 'm', 'time']

describe('the log', () => {
  it('gives back every kind of value with its expiry, from single commands and from a snapshot', () => {
    const first = open()
    expect(writes.map((command) => first.engine.run(command)).filter(isFailure)).toEqual([])
    const seen = look(first.engine, keys)
    first.log.close()
    const second = open()
    expect(look(second.engine, keys)).toEqual(seen)
    second.log.close()
    const third = open()
    expect(look(third.engine, keys)).toEqual(seen)
    third.log.close()
  })

  it('does not bring back a key that expired before a later write to it', () => {
    let now = 1000
    const first = open(() => now)
    first.engine.run(['SET', 'k', '5', 'PX', '10'])
    now = 2000
    first.engine.run(['INCR', 'k'])
    first.engine.run(['SET', 'short', 'v', 'PX', '10'])
    first.log.close()
    now = 9000
    const second = open(() => now)
    expect(second.engine.run(['GET', 'k'])).toBe('1')
    expect(second.engine.run(['PTTL', 'k'])).toBe(-1)
    expect(second.engine.run(['EXISTS', 'short'])).toBe(0)
    second.log.close()
  })

  it('drops a torn last unit whole and goes on', () => {
    const first = open()
    first.engine.run(['SET', 'k', 'kept'])
    first.log.flush()
    const whole = readFileSync(logPath)
    first.engine.runTransaction([
      ['SET', 'a', '1'],
      ['SET', 'b', '2'],
    ])
    first.log.close()
    const all = readFileSync(logPath)
    for (let cut = whole.length + 1; cut < all.length; cut++) {
      writeFileSync(logPath, all.subarray(0, cut))
      const { engine, log } = open()
      expect(engine.run(['MGET', 'k', 'a', 'b'])).toEqual(['kept', null, null])
      log.close()
    }
    const last = open()
    last.engine.run(['SET', 'k', 'after'])
    last.log.close()
    const again = open()
    expect(again.engine.run(['GET', 'k'])).toBe('after')
    again.log.close()
    expect(existsSync(`${logPath}.damaged`)).toBe(false)
  })

  it('keeps a copy of a log that is damaged before its end', () => {
    const first = open()
    first.engine.run(['SET', 'a', '1'])
    first.engine.run(['SET', 'b', '2'])
    first.engine.run(['SET', 'c', '3'])
    first.log.close()
    const bytes = readFileSync(logPath)
    bytes[bytes.indexOf('"b"') + 1] = 0x78
    writeFileSync(logPath, bytes)
    const second = open()
    expect(second.engine.run(['MGET', 'a', 'b', 'x', 'c'])).toEqual(['1', null, null, null])
    second.log.close()
    expect(readFileSync(`${logPath}.damaged`)).toEqual(bytes)
  })

  it('is shortened at the next start', () => {
    const first = open()
    for (let at = 0; at < 1000; at++) first.engine.run(['SET', 'k', String(at)])
    first.log.close()
    const before = readFileSync(logPath).length
    const second = open()
    second.log.close()
    expect(readFileSync(logPath).length).toBeLessThan(before / 100)
  })

  it('refuses a second process in its directory, and forgets a dead one', () => {
    const first = open()
    expect(() => open()).toThrow(/process \d+ uses it/)
    first.log.close()
    writeFileSync(join(dir, 'lock'), `${process.pid} 1`)
    const second = open()
    second.log.close()
    expect(existsSync(join(dir, 'lock'))).toBe(false)
  })

  it.runIf(existsSync('/proc/self/stat'))(
    'forgets a killed one whose parent has not noticed it yet',
    async () => {
      // `exec` leaves a parent that never looks after the child of the shell that it was.
      const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'])
      try {
        const pid = Number(await new Promise((resolve) => parent.stdout.once('data', resolve)))
        const stat = (): string[] => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')
        writeFileSync(join(dir, 'lock'), `${pid} ${stat()[1]?.split(' ')[19]}`)
        expect(() => open()).toThrow(`process ${pid} uses it`)
        process.kill(pid, 'SIGKILL')
        const state = await eventually(
          () => stat()[1]?.[0],
          (letter) => letter === 'Z',
          { withinMs: 2_000 },
        )
        expect(state).toBe('Z')
        open().log.close()
      } finally {
        parent.kill('SIGKILL')
      }
    },
  )

  it('ignores a line that only looks like one', () => {
    appendFileSync(logPath, 'ffffffff [["SET","k","v"]]\n')
    const { engine, log } = open()
    expect(engine.run(['EXISTS', 'k'])).toBe(0)
    log.close()
  })
})

describe('kill -9', () => {
  it('loses nothing that was acknowledged and halves no transaction', async () => {
    const acknowledged = new Set<string>()
    let sent = 0
    let counted = 0
    for (let round = 0; round < 3; round++) {
      const { child, redis, ended } = await launch('--dir', dir)
      if (round > 0) await expectAll(redis, acknowledged, { counted, sent })
      const writers = Array.from({ length: 8 }, async (_, writer) => {
        for (let at = 0; ; at++) {
          const name = `${round}:${writer}:${at}`
          sent++
          await redis.multi().set(`a:${name}`, name).set(`b:${name}`, name).incr('n').exec()
          acknowledged.add(name)
          counted++
          if (acknowledged.size >= (round + 1) * 100) child.kill('SIGKILL')
        }
      })
      const outcomes = await Promise.allSettled(writers)
      expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true)
      expect(await ended).toBe('SIGKILL')
    }
    const last = await launch('--dir', dir)
    await expectAll(last.redis, acknowledged, { counted, sent })
    last.child.kill('SIGTERM')
    expect(await last.ended).toBe(0)
  })
})

async function expectAll(
  redis: Awaited<ReturnType<typeof launch>>['redis'],
  acknowledged: ReadonlySet<string>,
  totals: { readonly counted: number; readonly sent: number },
): Promise<void> {
  const names = [...acknowledged]
  const found = await redis.mget<string[]>(names.map((name) => `a:${name}`))
  expect(found).toEqual(names)
  const firsts = await redis.keys('a:*')
  const seconds = await redis.keys('b:*')
  expect(seconds).toHaveLength(firsts.length)
  expect(await redis.get<number>('n')).toBe(firsts.length)
  expect(firsts.length).toBeGreaterThanOrEqual(totals.counted)
  expect(firsts.length).toBeLessThanOrEqual(totals.sent)
}
