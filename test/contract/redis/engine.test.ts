// The engine by itself, where a clock in the hand or a hostile input is needed.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromUtf8, toUtf8 } from '../../../tools/redis/engine/bytes.ts'
import { Engine } from '../../../tools/redis/engine/engine.ts'
import type { Command } from '../../../tools/redis/engine/engine.ts'
import { matchesGlob } from '../../../tools/redis/engine/glob.ts'
import { addDecimals, tryFloat, tryInteger } from '../../../tools/redis/engine/numbers.ts'
import { SortedSet } from '../../../tools/redis/engine/sorted-set.ts'

describe('time', () => {
  it('takes a key away at its very millisecond, for every command', () => {
    let now = 1000
    const engine = new Engine({ clock: () => now })
    engine.run(['SET', 'k', 'v', 'PX', '500'])
    now = 1499
    expect(engine.run(['PTTL', 'k'])).toBe(1)
    now = 1500
    const gone: [Command, unknown][] = [
      [['GET', 'k'], null],
      [['EXISTS', 'k'], 0],
      [['TYPE', 'k'], { simple: 'none' }],
      [['KEYS', '*'], []],
      [['DEL', 'k'], 0],
      [['SET', 'k', 'new', 'XX'], null],
    ]
    for (const [command, answer] of gone) expect(engine.run(command)).toEqual(answer)
  })

  it('stands still within a script', () => {
    let now = 1000
    const engine = new Engine({ clock: () => now++ })
    const script = "local a = redis.call('TIME') local b = redis.call('TIME') return a[2] == b[2]"
    expect(engine.run(['EVAL', script, '0'])).toBe(1)
  })

  it('sweeps keys that nobody asks for, a bounded number at a time', () => {
    let now = 1000
    const engine = new Engine({ clock: () => now })
    for (let at = 0; at < 100; at++) engine.run(['SET', `k${at}`, 'v', 'PX', '10'])
    engine.run(['SET', 'stays', 'v', 'PX', '10000'])
    now = 2000
    engine.sweep(60)
    expect(engine.run(['DBSIZE'])).toBe(41)
    engine.sweep(60)
    expect(engine.run(['DBSIZE'])).toBe(1)
  })
})

describe('scripts', () => {
  const engine = new Engine({ longestScriptMs: 30 })

  it.for([
    'while true do end',
    'while true do pcall(function() while true do end end) end',
    'coroutine.wrap(function() while true do end end)()',
    "while true do redis.call('GET', 'k') end",
  ])('are stopped when they do not end: %s', (script) => {
    expect(engine.run(['EVAL', script, '0'])).toMatchObject({
      failure: expect.stringContaining('ran for more than 30 ms'),
    })
    expect(engine.run(['EVAL', 'return 1', '0'])).toBe(1)
  })

  it.for([
    'local function f() return f() + 1 end return f()',
    "return string.rep('x', 2 ^ 40)",
    'local t = {} t[1] = t return t',
    "return redis.call('EVAL', 'return 1', 0)",
    'return redis.call()',
    'return redis.call({})',
    'error({ code = 1 })',
    "return load('\\27Lua')()",
    "return io.open('x')",
    "return require('os')",
    'redis = nil',
    "string.format('%d', 'x')",
    'return cjson.decode(string.rep("[", 5000) .. string.rep("]", 5000))',
  ])('fail without harm: %s', (script) => {
    const answer = JSON.stringify(engine.run(['EVAL', script, '0']))
    expect(answer).toContain('failure')
    expect(engine.run(['EVAL', "return {redis.call('PING')}", '0'])).toEqual([{ simple: 'PONG' }])
  })

  it('leave nothing behind for the next one', () => {
    engine.run(['EVAL', "loadstring('leak = 1')()", '0'])
    expect(engine.run(['EVAL', 'return leak', '0'])).toHaveProperty('failure')
    expect(engine.run(['EVAL', 'return {#KEYS, #ARGV}', '0'])).toEqual([0, 0])
  })

  it('that only read cannot write', () => {
    const write = "return redis.call('SET', 'k', 'v')"
    const refused = { failure: expect.stringContaining('Write commands are not allowed') }
    expect(engine.run(['EVAL_RO', write, '0'])).toMatchObject(refused)
    expect(engine.run(['EVAL', `#!lua flags=no-writes\n${write}`, '0'])).toMatchObject(refused)
    expect(engine.run(['EVAL', `#!lua flags=unknown\n${write}`, '0'])).toHaveProperty('failure')
    expect(engine.run(['EVAL', `#!js\n${write}`, '0'])).toHaveProperty('failure')
  })
})

describe('commands that would take all memory', () => {
  it.for([
    ['SETRANGE', 'k', '500000000', 'x'],
    ['SRANDMEMBER', 's', '-9000000000'],
    ['SRANDMEMBER', 's', '-2000000'],
    ['EVAL', "return #string.rep('x', 2 ^ 30)", '0'],
  ])('are refused: %j', (command) => {
    const engine = new Engine()
    engine.run(['SADD', 's', 'm'])
    expect(engine.run(command)).toHaveProperty('failure')
  })
})

describe('SCAN', () => {
  it('meets every key that stays, whatever comes and goes meanwhile', () => {
    const change = fc.record({ add: fc.boolean(), key: fc.integer({ min: 0, max: 40 }) })
    fc.assert(
      fc.property(
        fc.array(fc.array(change, { maxLength: 5 })),
        fc.integer({ min: 1, max: 7 }),
        (rounds, count) => {
          const engine = new Engine()
          const stays = Array.from({ length: 30 }, (_, at) => `stays${at}`)
          for (const [at, key] of stays.entries()) {
            engine.run(['SET', `moves${at}`, 'v'])
            engine.run(['SET', key, 'v'])
          }
          const met = new Set<string>()
          let cursor = '0'
          for (let round = 0; round === 0 || cursor !== '0'; round++) {
            const [next, keys] = engine.run(['SCAN', cursor, 'COUNT', String(count)]) as [
              string,
              string[],
            ]
            for (const key of keys) met.add(key)
            cursor = next
            for (const { add, key } of rounds[round] ?? []) {
              engine.run(add ? ['SET', `moves${key}`, 'v'] : ['DEL', `moves${key}`])
            }
            // Another scan shares the cursors and may push this one's place out of the cache.
            if (round % 3 === 0) engine.run(['SCAN', cursor, 'COUNT', '3'])
          }
          expect(stays.filter((key) => !met.has(key))).toEqual([])
        },
      ),
    )
  })
})

describe('patterns', () => {
  it.for([
    ['*', '', true],
    ['h?llo', 'hallo', true],
    ['h[ae]llo', 'hillo', false],
    ['h[^e]llo', 'hallo', true],
    ['h[a-c]llo', 'hbllo', true],
    ['h[c-a]llo', 'hbllo', true],
    ['a\\*b', 'a*b', true],
    ['a\\*b', 'axb', false],
    ['*a*b', 'xaybz', false],
    ['[', '[', false],
    ['a*', 'ba', false],
  ] as const)('%s on %s is %s', ([pattern, text, matches]) => {
    expect(matchesGlob(pattern, text)).toBe(matches)
  })

  it('cost little however hostile they are', () => {
    const started = performance.now()
    expect(matchesGlob(`${'a*'.repeat(200)}b`, 'a'.repeat(5000))).toBe(false)
    expect(performance.now() - started).toBeLessThan(1000)
  })
})

describe('numbers', () => {
  it('add decimals without binary rounding', () => {
    expect(addDecimals('0.1', '0.2')).toBe('0.3')
    expect(addDecimals('10.5', '-1.05e1')).toBe('0')
    expect(addDecimals('5.0e3', '200')).toBe('5200')
    expect(addDecimals('-0.5', '0.25')).toBe('-0.25')
    expect(() => addDecimals('inf', '1')).toThrow('NaN or Infinity')
  })

  it('are taken in the strict form of Redis only', () => {
    for (const text of [
      '',
      ' 1',
      '1 ',
      '+1',
      '01',
      '-0',
      '1.0',
      '1e2',
      '0x1',
      '9223372036854775808',
    ]) {
      expect(tryInteger(text)).toBeNull()
    }
    expect(tryInteger('-9223372036854775808')).toBe(-9223372036854775808n)
    for (const text of ['', ' 1', 'nan', '1e', '.', '1_0']) expect(tryFloat(text)).toBeNull()
    expect(tryFloat('-Inf')).toBe(-Infinity)
  })

  it('are the same whether JavaScript or 64 bits add them', () => {
    const engine = new Engine()
    fc.assert(
      fc.property(
        fc.bigInt(-(2n ** 62n), 2n ** 62n),
        fc.bigInt(-(2n ** 62n), 2n ** 62n),
        (a, b) => {
          engine.run(['SET', 'n', String(a)])
          engine.run(['INCRBY', 'n', String(b)])
          expect(engine.run(['GET', 'n'])).toBe(String(a + b))
        },
      ),
    )
  })
})

describe('values', () => {
  it('of any text survive the way through bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(toUtf8(fromUtf8(text))).toBe(text)
      }),
    )
  })

  it('of a sorted set stay in order through any changes', () => {
    const step = fc.tuple(
      fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      fc.option(fc.integer({ min: -2, max: 2 })),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const set = new SortedSet()
        const model = new Map<string, number>()
        for (const [member, score] of steps) {
          if (score === null) expect(set.delete(member)).toBe(model.delete(member))
          else {
            set.set(member, score)
            model.set(member, score)
          }
        }
        const expected = [...model]
          .map(([member, score]) => ({ member, score }))
          .toSorted((a, b) => a.score - b.score || (a.member < b.member ? -1 : 1))
        expect(set.entries()).toEqual(expected)
        for (const [rank, { member }] of expected.entries()) expect(set.rank(member)).toBe(rank)
      }),
    )
  })
})
