// The few commands that are about the server and not about a key.
import type { CommandTable } from './command.ts'
import { reads } from './command.ts'
import { wrongArity } from './reply.ts'

const started = Date.now()

export const serverCommands: CommandTable = {
  PING: reads(-1, (_, args) => {
    if (args.length > 1) throw wrongArity('ping')
    return args[0] ?? { simple: 'PONG' }
  }),
  ECHO: reads(2, (_, [text = '']) => text),
  TIME: reads(1, (context) => {
    const { now } = context.db
    return [String(Math.floor(now / 1000)), String((now % 1000) * 1000)]
  }),
  INFO: reads(-1, (context) => {
    const seconds = Math.floor((Date.now() - started) / 1000)
    const lines = ['# Server', 'redis_version:7.0.0', 'redis_mode:standalone']
    lines.push(`process_id:${process.pid}`, `uptime_in_seconds:${seconds}`, '')
    lines.push('# Keyspace', `db0:keys=${context.db.size}`, '')
    return lines.join('\r\n')
  }),
  // Nobody can be subscribed over REST.
  PUBLISH: reads(3, () => 0),
}
