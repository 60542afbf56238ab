// `npm run simulate`: the simulator alone on a port of its own, until it is told to stop.
import { parseOptions, USAGE } from './cli-options.ts'
import { startSimulator } from './server.ts'

async function main(): Promise<void> {
  const parsed = parseOptions(process.argv.slice(2))
  if (parsed.kind === 'problem') {
    process.stderr.write(`${parsed.problem}\n\n${USAGE}`)
    process.exitCode = 2
    return
  }
  if (parsed.kind === 'help') {
    process.stdout.write(USAGE)
    return
  }
  const { json, exitWithParent, ...options } = parsed.options
  const running = await startSimulator(options)
  process.stdout.write(json ? readyLine(running.url, running.port) : welcome(running.url))
  const stop = () => {
    void running.close().then(() => process.exit(0))
  }
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  if (exitWithParent) {
    process.stdin.resume()
    process.stdin.once('end', stop)
    process.stdin.once('error', stop)
  }
}

function readyLine(url: string, port: number): string {
  return `${JSON.stringify({ ready: true, url, port, pid: process.pid })}\n`
}

function welcome(url: string): string {
  return `The Claude simulator answers at ${url}
Any key works; sk-ant-sim-<organization> chooses whose limits are used. Try:

  curl -N ${url}/v1/messages \\
    -H 'x-api-key: sk-ant-sim-default' \\
    -H 'anthropic-version: 2023-06-01' \\
    -H 'content-type: application/json' \\
    -d '{"model":"claude-sonnet-5-5","max_tokens":200,"stream":true,"messages":[{"role":"user","content":"What is a gateway?"}]}'

Journal: ${url}/__sim/journal   Help: docs/SIMULATOR.md   Stop: Ctrl-C
`
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
