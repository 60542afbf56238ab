// The Upstash endpoint of the benchmark. Fengari's Lua would take longer than the gateway that is measured, so the
// one script that the gateway runs is answered by the same sums in TypeScript (src/core/limits): real windows, real
// numbers, without an interpreter. `--store bridge` takes the real bridge instead. Of the response cache it only says that
// what is at hand is good.
import { createServer, type Server, type Socket } from 'node:net'
import {
  peekWindows,
  refundToWindows,
  takeFromWindows,
  type WindowLog,
  type WindowRule,
  type WindowsStep,
} from '../../src/core/limits/sliding-window.ts'
import { ANSWER_SCRIPTS } from '../../src/adapters/upstash/answer-scripts.ts'
import { RequestReader } from './requests.ts'

export interface StoreCounts {
  readonly requests: number
  readonly commands: number
}

export class BenchStore {
  readonly server: Server
  readonly #logs = new Map<string, WindowLog>()
  #requests = 0
  #commands = 0

  constructor() {
    this.server = createServer({ noDelay: true }, (socket) => this.#serve(socket))
  }

  counts(): StoreCounts {
    const counts = { requests: this.#requests, commands: this.#commands }
    this.#requests = 0
    this.#commands = 0
    return counts
  }

  #serve(socket: Socket): void {
    const reader = new RequestReader((start) => {
      this.#requests += 1
      const result = JSON.stringify(this.#answer(bodyIn(start)))
      socket.write(
        `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${result.length}\r\n\r\n${result}`,
      )
    })
    socket.on('data', (chunk: Buffer) => reader.push(chunk))
    socket.on('error', () => socket.destroy())
  }

  /** One command, or several as a pipeline. */
  #answer(body: readonly unknown[]): unknown {
    const isPipeline = Array.isArray(body[0])
    const commands = isPipeline ? (body as (readonly unknown[])[]) : [body]
    this.#commands += commands.length
    const results = commands.map((command) => ({ result: this.#run(command) }))
    return isPipeline ? results : results[0]
  }

  #run(command: readonly unknown[]): unknown {
    const [name, script, keys, ...rest] = command
    const cached = CACHE_ANSWERS.get(String(script))
    if (cached !== undefined) return cached(rest.slice(Number(keys)))
    if (!/^eval(sha)?$/i.test(String(name))) return 'PONG'
    const places = rest.slice(0, Number(keys)).map(String)
    const [now, amount, ...numbers] = rest.slice(Number(keys)).map(Number)
    if (now === undefined || amount === undefined) {
      throw new Error(`The benchmark's store cannot run ${JSON.stringify(command)}`)
    }
    const rules: WindowRule[] = []
    const names: string[] = []
    // Of each window: the number of its log, its length, its limit, its burst length.
    for (let at = 0; at < numbers.length; at += 4) {
      const [place = 1, windowMs = 0, limit = 0] = numbers.slice(at, at + 3)
      rules.push({ name: windowMs === 60_000 ? 'minute' : 'hour', windowMs, limit })
      names.push(`${places[place - 1]} ${windowMs}`)
    }
    const before = names.map((log) => this.#logs.get(log) ?? [])
    const { logs, outcome } = step(amount, before, rules, now)
    for (const [index, log] of names.entries()) this.#logs.set(log, logs[index] ?? [])
    const usage = outcome.usage.flatMap(({ used, resetMs }) => [used, resetMs])
    return [outcome.admitted ? 1 : 0, outcome.retryAfterMs, ...usage]
  }
}

function step(
  amount: number,
  before: readonly WindowLog[],
  rules: readonly WindowRule[],
  now: number,
): WindowsStep {
  if (amount > 0) return takeFromWindows(before, rules, now)
  const logs = amount < 0 ? refundToWindows(before, rules, now) : before
  return { logs, outcome: peekWindows(logs, rules, now) }
}

/** By script: a look with something at hand finds it good, any other has the call made. */
const CACHE_ANSWERS = new Map<string, (args: readonly unknown[]) => unknown>([
  [ANSWER_SCRIPTS.look.hash, (args) => (args[7] === '' ? ['lead', '0', []] : ['near'])],
  [ANSWER_SCRIPTS.tell.hash, () => [1, 0]],
  [ANSWER_SCRIPTS.land.hash, () => 1],
  [ANSWER_SCRIPTS.count.hash, () => []],
])

function bodyIn(start: Buffer): readonly unknown[] {
  const body = start.toString('utf8', start.indexOf('\r\n\r\n') + 4)
  const command: unknown = JSON.parse(body)
  return Array.isArray(command) ? command : []
}
