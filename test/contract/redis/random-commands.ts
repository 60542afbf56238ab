// Random commands over few keys and fields, so that they meet each other, wrong types and bad arguments included.
// Left out is what Redis itself leaves open: order by member among different scores, and the last digits of decimals.
import fc from 'fast-check'

const of = (words: string): fc.Arbitrary<string> => fc.constantFrom(...words.split(' '))

const key = of('a b c d')
const field = of('f g h i 1 2')
const value = fc.constantFrom(
  'x',
  '10',
  '-3',
  '1.5',
  '',
  'é\0ÿ',
  '9223372036854775807',
  ' 5',
  '007',
)
const index = of('0 1 2 3 -1 -2 -5 100 x 1.5 +1 007 9223372036854775807')
const score = of('1 2 3 -1 0 inf -inf +inf (1 (2 nan 1.5 x 1e3')
const count = of('0 1 2 100 -1 x')
const time = of('100 100000 0 -1 x 4102444800 4102444800000')

type Part = string | fc.Arbitrary<string> | fc.Arbitrary<string[]>

const maybe = (...parts: readonly Part[]): fc.Arbitrary<string[]> =>
  fc.option(command(...parts), { nil: [], freq: 1 })

const some = (one: fc.Arbitrary<string>, most = 3): fc.Arbitrary<string[]> =>
  fc.array(one, { minLength: 1, maxLength: most })

/** Parts one after another; words of a text are separate arguments. */
function command(...parts: readonly Part[]): fc.Arbitrary<string[]> {
  const made = parts.map((part) => (typeof part === 'string' ? fc.constant(part.split(' ')) : part))
  return fc.tuple(...(made as fc.Arbitrary<string | string[]>[])).map((lists) => lists.flat())
}

const strings = [
  command('SET', key, value, maybe(of('NX XX nx')), maybe('GET'), maybe('KEEPTTL')),
  command('SET', key, value, of('EX PX EXAT'), of('1000000 0 -5 x'), maybe(of('KEEPTTL NX BAD'))),
  command(of('GET GETDEL INCR DECR STRLEN'), key),
  command(of('GETSET SETNX APPEND'), key, value),
  command('GETEX', key, maybe(of('PERSIST EX PX FOO'), maybe(of('100000 0 x')))),
  command(of('SETEX PSETEX'), key, of('1000000 0 -1 x'), value),
  command('MGET', some(key)),
  command(of('MSET MSETNX'), some(key, 4)),
  command('GETRANGE', key, index, index),
  command('SETRANGE', key, of('0 1 5 -1 x'), value),
  command(of('INCRBY DECRBY'), key, index),
]

const hashes = [
  command('HSET', key, field, value),
  command(of('HSET HMSET'), key, some(field, 4)),
  command(of('HGET HEXISTS HSTRLEN'), key, field),
  command(of('HGETALL HKEYS HVALS HLEN'), key),
  command(of('HMGET HDEL'), key, some(field)),
  command('HSETNX', key, field, value),
  command('HINCRBY', key, field, index),
  command('HSCAN', key, of('0 x'), maybe('MATCH', of('* f [fg] ?')), maybe('COUNT', of('100 0 x'))),
]

const lists = [
  command(of('LPUSH RPUSH LPUSHX RPUSHX'), key, some(field)),
  command(of('LPUSH RPUSH'), key, some(field)),
  command(of('LPOP RPOP'), key, maybe(count)),
  command(of('LRANGE LTRIM'), key, index, index),
  command('LLEN', key),
  command('LINDEX', key, index),
  command('LSET', key, index, field),
  command('LREM', key, of('0 1 -1 2 -2 x'), field),
  command('LINSERT', key, of('BEFORE after x'), field, field),
  command(
    'LPOS',
    key,
    field,
    maybe('RANK', of('1 -1 2 0')),
    maybe('COUNT', of('0 1 -1')),
    maybe('MAXLEN', of('0 1 2')),
  ),
  command('LMOVE', key, key, of('LEFT right x'), of('LEFT RIGHT')),
  command('RPOPLPUSH', key, key),
  command('LMPOP', of('1 2 0 x'), key, maybe(key), of('LEFT RIGHT'), maybe('COUNT', of('1 2 0'))),
]

const sets = [
  command('SADD', key, some(field)),
  command(of('SREM SMISMEMBER'), key, some(field)),
  command(of('SMEMBERS SCARD'), key),
  command('SISMEMBER', key, field),
  command('SMOVE', key, key, field),
  command(of('SINTER SUNION SDIFF'), some(key)),
  command(of('SINTERSTORE SUNIONSTORE SDIFFSTORE'), key, some(key)),
  command('SINTERCARD', of('1 2 0 x 5'), key, key, maybe('LIMIT', of('0 1 -1 x'))),
  command('SPOP', key, of('100 0 -1 x')),
  command('SRANDMEMBER', key, fc.constant('100')),
  command('SSCAN', key, of('0'), maybe('MATCH', of('[a-h]'))),
]

const sortedSets = [
  command(
    'ZADD',
    key,
    maybe(of('NX XX')),
    maybe(of('GT LT')),
    maybe('CH'),
    maybe('INCR'),
    score,
    field,
  ),
  command('ZADD', key, of('1 2 3.5'), field, of('1 2 -3.5'), field),
  command('ZINCRBY', key, score, field),
  command(of('ZSCORE ZRANK ZREVRANK'), key, field),
  command(of('ZMSCORE ZREM'), key, some(field)),
  command('ZCARD', key),
  command(of('ZCOUNT ZREMRANGEBYSCORE'), key, score, score),
  command('ZRANGE', key, index, index, maybe('REV'), maybe('WITHSCORES'), maybe('LIMIT 0 -1')),
  command(
    'ZRANGE',
    key,
    score,
    score,
    'BYSCORE',
    maybe('REV'),
    maybe('LIMIT', of('0 1 -1'), of('1 -1 2')),
    maybe('WITHSCORES'),
  ),
  command(of('ZREVRANGE ZREMRANGEBYRANK'), key, index, index),
  command(
    of('ZRANGEBYSCORE ZREVRANGEBYSCORE'),
    key,
    score,
    score,
    maybe('WITHSCORES'),
    maybe('LIMIT 1 2'),
  ),
  command('ZRANGESTORE', key, key, index, index, maybe('REV')),
  command(of('ZPOPMIN ZPOPMAX'), key, maybe(count)),
  command(
    of('ZUNION ZINTER ZDIFF'),
    of('1 2 0 x'),
    key,
    key,
    maybe('WEIGHTS 2 3'),
    maybe('AGGREGATE', of('SUM MIN MAX x')),
    maybe('WITHSCORES'),
  ),
  command(of('ZUNIONSTORE ZINTERSTORE'), key, '2', key, key, maybe('WEIGHTS 2 3')),
  command('ZDIFFSTORE', key, '2', key, key),
  command('ZINTERCARD 2', key, key, maybe('LIMIT 1')),
  command('ZSCAN', key, '0'),
]

const keys = [
  command(of('DEL UNLINK EXISTS TOUCH'), some(key, 2)),
  command(of('TYPE TTL PERSIST EXPIRETIME'), key),
  command(of('RENAME RENAMENX'), key, key),
  command('COPY', key, key, maybe('REPLACE'), maybe('DB 0')),
  command('EXPIRE', key, time, maybe(of('NX XX FOO'))),
  command(of('EXPIREAT PEXPIREAT'), key, time, maybe(of('NX XX GT LT')), maybe(of('NX GT LT'))),
  command('KEYS', of('* a [a-c] ? [^a]')),
  command('SCAN 0 COUNT 100', maybe('TYPE', of('string zset hash foo'))),
  command('DBSIZE'),
  command(of('GET FOO PING ECHO SET'), maybe(value)),
]

const plainCommand = fc.oneof(
  ...[strings, hashes, lists, sets, sortedSets, keys].map((group) => fc.oneof(...group)),
)

export const anyCommand: fc.Arbitrary<string[]> = fc.oneof(
  { weight: 9, arbitrary: plainCommand },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('call', 'pcall'), plainCommand)
      .map(([call, inner]) => ['EVAL', `return redis.${call}(unpack(ARGV))`, '0', ...inner]),
  },
)
