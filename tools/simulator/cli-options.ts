// Reads the command line of the simulator.
import { parseArgs } from 'node:util'
import { parseFaults } from './faults.ts'
import type { SimulatorOptions } from './server.ts'

export const USAGE = `npm run simulate -- [options]

  --port N             port on 127.0.0.1 (default 8790; 0 takes any free one)
  --host H             address to listen on (default 127.0.0.1)
  --seed S             names the run; the same seed gives the same run (default claude)
  --latency L          none, real, or a factor on the real times such as 0.1 (default real)
  --fault-rate R       share of requests that get a fault, 0 to 1 (default 0)
  --faults "A|B"       the faults to choose from, in the grammar of docs/SIMULATOR.md
  --rpm N              requests a minute of each organization and model class
  --itpm N, --otpm N   input and output tokens a minute
  --max-concurrent N   open calls of one organization
  --batch-ms N         how long a batch takes (default 500)
  --keep-bodies N      bytes of each request body that the journal keeps (default 0)
  --no-body-hash       do not hash request bodies
  --no-threads         answer message threads as a platform without them would
  --json               print one JSON line when ready
  --exit-with-parent   stop when standard input closes
  --help
`

export interface CliOptions extends SimulatorOptions {
  json: boolean
  exitWithParent: boolean
}

export type Parsed =
  | { kind: 'run'; options: CliOptions }
  | { kind: 'help' }
  | { kind: 'problem'; problem: string }

const OPTIONS = {
  port: { type: 'string' },
  host: { type: 'string' },
  seed: { type: 'string' },
  latency: { type: 'string' },
  'fault-rate': { type: 'string' },
  faults: { type: 'string' },
  rpm: { type: 'string' },
  itpm: { type: 'string' },
  otpm: { type: 'string' },
  'max-concurrent': { type: 'string' },
  'batch-ms': { type: 'string' },
  'keep-bodies': { type: 'string' },
  'no-body-hash': { type: 'boolean' },
  'no-threads': { type: 'boolean' },
  json: { type: 'boolean' },
  'exit-with-parent': { type: 'boolean' },
  help: { type: 'boolean' },
} as const

export function parseOptions(args: string[]): Parsed {
  try {
    const { values } = parseArgs({ args, options: OPTIONS, strict: true })
    if (values.help === true) return { kind: 'help' }
    return { kind: 'run', options: build(values) }
  } catch (error) {
    return { kind: 'problem', problem: error instanceof Error ? error.message : String(error) }
  }
}

type Values = { -readonly [K in keyof typeof OPTIONS]?: string | boolean | undefined }

function build(values: Values): CliOptions {
  const faults = values.faults
  const mix = typeof faults === 'string' ? faults.split('|').map((text) => text.trim()) : undefined
  mix?.forEach(parseFaults)
  const limits = {
    ...numberAs(values, 'rpm', 'requests_per_minute'),
    ...numberAs(values, 'itpm', 'input_tokens_per_minute'),
    ...numberAs(values, 'otpm', 'output_tokens_per_minute'),
    ...numberAs(values, 'max-concurrent', 'max_concurrent'),
  }
  return {
    port: 8790,
    ...numberAs(values, 'port', 'port'),
    ...(typeof values.host === 'string' ? { host: values.host } : {}),
    ...(typeof values.seed === 'string' ? { seed: values.seed } : {}),
    latencyScale: latencyOf(values.latency),
    ...rateOf(values),
    ...(mix === undefined ? {} : { faultMix: mix }),
    limits,
    ...numberAs(values, 'batch-ms', 'batchMs'),
    ...numberAs(values, 'keep-bodies', 'keepBodyBytes'),
    hashBodies: values['no-body-hash'] !== true,
    threads: values['no-threads'] !== true,
    json: values.json === true,
    exitWithParent: values['exit-with-parent'] === true,
  }
}

function latencyOf(value: string | boolean | undefined): number {
  if (value === undefined || value === 'real') return 1
  if (value === 'none') return 0
  return readNumber(value, 'latency')
}

function rateOf(values: Values): { faultRate?: number } {
  if (values['fault-rate'] === undefined) return {}
  const rate = readNumber(values['fault-rate'], 'fault-rate')
  if (rate > 1) throw new Error('--fault-rate is a share from 0 to 1')
  return { faultRate: rate }
}

function numberAs<K extends string>(
  values: Values,
  option: keyof typeof OPTIONS,
  field: K,
): Partial<Record<K, number>> {
  const value = values[option]
  if (value === undefined) return {}
  return { [field]: readNumber(value, option) } as Record<K, number>
}

function readNumber(value: string | boolean, option: string): number {
  const number = Number(value)
  if (value === '' || typeof value === 'boolean' || !Number.isFinite(number) || number < 0) {
    throw new Error(`--${option} needs a number`)
  }
  return number
}
