// `npm run dev`: the whole gateway on one machine. Starts what the environment does not name (Redis, the Claude
// simulator), then the Worker, prints what a newcomer needs, and stops everything that it started.
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'
import { startGateway } from './gateway.ts'
import { welcome } from './welcome.ts'

const usage = `npm run dev -- [--port N] [--direct] [--state DIR] [--json]
  --port N     port of the gateway (8787); 0 picks a free one
  --direct     the built bundle on workerd's own socket: no watching, no development proxy
  --state DIR  where everything that lasts lies (.sluice)
  --json       print one JSON line when ready, and nothing else
`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '8787' },
      direct: { type: 'boolean', default: false },
      state: { type: 'string', default: '.sluice' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return void process.stdout.write(usage)
  const port = Number(values.port)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Error(`--port must be a number from 0 to 65535: it is "${values.port}"`)
  }
  const gateway = await startGateway({
    port,
    direct: values.direct,
    dir: resolve(values.state),
    quiet: values.json,
    env: process.env,
    onPartExit: (name) => {
      console.error(`${name} ended by itself: stopping`)
      stop(1)
    },
  })
  const stop = (code: number): void => {
    if (stopping) process.exit(code)
    stopping = true
    void gateway.stop().finally(() => process.exit(code))
  }
  let stopping = false
  // Miniflare has put its own handlers there, which end the process before the neighbours are stopped.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeAllListeners(signal)
  process.on('SIGINT', () => stop(0))
  process.on('SIGTERM', () => stop(0))
  process.stdout.write(
    values.json ? `${JSON.stringify(gateway.ready)}\n` : welcome(gateway.ready, values.direct),
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  })
}
