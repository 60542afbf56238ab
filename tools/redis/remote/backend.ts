// A real Redis server as a backend. All requests share one connection, so commands that change its state are refused,
// as Upstash refuses them over REST.
import type { Backend } from '../backend.ts'
import type { Command } from '../engine/engine.ts'
import { isFailure } from '../engine/reply.ts'
import type { Failure, Reply } from '../engine/reply.ts'
import { RedisConnection } from './connection.ts'
import { KeyLockingScripts } from './key-locking.ts'

const refused = new Set(
  [
    'ASKING AUTH BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN CLIENT CONFIG DEBUG DISCARD EXEC FAILOVER',
    'HELLO MIGRATE MODULE MONITOR MULTI PSUBSCRIBE PSYNC PUNSUBSCRIBE QUIT READONLY READWRITE REPLCONF REPLICAOF RESET',
    'SELECT SHUTDOWN SLAVEOF SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE SYNC UNSUBSCRIBE UNWATCH WAIT WATCH XREAD XREADGROUP',
  ].flatMap((line) => line.split(' ')),
)

export async function redisBackend(url: string): Promise<Backend> {
  const connection = new RedisConnection(url)
  const scripts = new KeyLockingScripts()
  const counts = { commands: 0, scriptCommands: 0 }
  await connection.send([['PING']])

  async function pipeline(commands: readonly Command[]): Promise<readonly Reply[]> {
    counts.commands += commands.length
    const allowed = commands.filter((command) => refusal(command) === null)
    const sent = allowed.map((command) => scripts.toServer(command))
    const replies = sent.length === 0 ? [] : await connection.send(sent)
    let at = 0
    return commands.map((command) => {
      return refusal(command) ?? scripts.toClient(command, replies[at++] ?? null)
    })
  }

  async function transaction(commands: readonly Command[]): Promise<readonly Reply[] | Failure> {
    counts.commands += commands.length
    if (commands.some((command) => refusal(command) !== null)) return aborted
    const sent = commands.map((command) => scripts.toServer(command))
    const replies = await connection.send([['MULTI'], ...sent, ['EXEC']])
    const result = replies.at(-1) ?? null
    if (isFailure(result)) return result
    if (!Array.isArray(result)) return aborted
    return commands.map((command, at) => scripts.toClient(command, result[at] ?? null))
  }

  return { kind: 'redis', counts, pipeline, transaction, close: () => connection.close() }
}

const aborted: Failure = {
  failure: 'EXECABORT Transaction discarded because of previous errors.',
}

function refusal(command: Command): Failure | null {
  const name = command[0]?.toUpperCase() ?? ''
  return refused.has(name) ? { failure: `ERR Command is not available: '${name}'` } : null
}
