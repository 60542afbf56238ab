// The Redis of development, as a process of its own: the REST bridge over the embedded engine or a real server.
import { parseArgs } from 'node:util'
import { startRedisBridge } from './server.ts'

const usage = `node tools/redis/main.ts [options]
  --port N            port on loopback; 0 (default) for any free one
  --token T           bearer token; made up when absent
  --dir DIR           where the embedded engine keeps its data; memory only when absent
  --redis-url URL     redis://[user:password@]host:port[/db]: a real server instead of the embedded engine
  --faults            open /__test/fault and /__test/stats (tests only)
  --exit-with-parent  stop when standard input closes`

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    token: { type: 'string' },
    dir: { type: 'string' },
    'redis-url': { type: 'string' },
    faults: { type: 'boolean', default: false },
    'exit-with-parent': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) {
  console.log(usage)
  process.exit(0)
}

const redisUrl = values['redis-url']
const bridge = await startRedisBridge({
  port: parsePort(values.port),
  faults: values.faults,
  ...(values.token === undefined ? {} : { token: values.token }),
  ...(values.dir === undefined ? {} : { dir: values.dir }),
  ...(redisUrl === undefined ? {} : { redisUrl }),
}).catch(fail)

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
if (values['exit-with-parent']) {
  process.stdin.resume()
  process.stdin.once('end', stop)
  process.stdin.once('error', stop)
}

const { url, token, engine } = bridge
console.log(JSON.stringify({ ready: true, url, token, engine }))

let stopping = false

function stop(): void {
  if (stopping) return
  stopping = true
  bridge.close().then(() => process.exit(0), fail)
}

function parsePort(text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65_535) fail(new Error(`--port ${text} is no port`))
  return port
}

function fail(error: unknown): never {
  console.error(`redis: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
}
