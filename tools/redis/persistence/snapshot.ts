// The whole database as the shortest list of commands that makes it again.
import type { Entry, Database } from '../engine/database.ts'
import type { Command } from '../engine/engine.ts'
import { formatFloat } from '../engine/numbers.ts'

const itemsInOne = 500

export function* snapshot(db: Database): Generator<Command[]> {
  for (const [key, entry] of db.live()) {
    const commands = [...commandsFor(key, entry)]
    if (entry.expiresAt !== null) commands.push(['PEXPIREAT', key, String(entry.expiresAt)])
    yield commands
  }
}

function* commandsFor(key: string, entry: Entry): Generator<Command> {
  const { value } = entry
  switch (value.kind) {
    case 'string':
      yield ['SET', key, value.data]
      return
    case 'hash':
      yield* inParts(['HSET', key], [...value.data.entries()].flat())
      return
    case 'list':
      yield* inParts(['RPUSH', key], value.data)
      return
    case 'set':
      yield* inParts(['SADD', key], [...value.data])
      return
    case 'zset': {
      const scored = value.data.entries()
      const pairs = scored.flatMap(({ member, score }) => [formatFloat(score), member])
      yield* inParts(['ZADD', key], pairs)
    }
  }
}

function* inParts(head: Command, items: readonly string[]): Generator<Command> {
  for (let at = 0; at < items.length; at += itemsInOne) {
    yield [...head, ...items.slice(at, at + itemsInOne)]
  }
}
