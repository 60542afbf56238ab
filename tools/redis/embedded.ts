// The embedded engine as a backend. What a request changed is in the log before the request is answered.
import type { Backend } from './backend.ts'
import { Engine } from './engine/engine.ts'
import type { Reply } from './engine/reply.ts'
import { openLog } from './persistence/append-log.ts'
import type { AppendLog } from './persistence/append-log.ts'

const sweepEveryMs = 250
const sweepBudget = 2000

export function embeddedBackend(directory?: string): Backend {
  const engine = new Engine()
  const log = directory === undefined ? null : openLog(directory, engine)
  const sweeper = setInterval(() => sweep(engine, log), sweepEveryMs)
  sweeper.unref()
  return {
    kind: 'embedded',
    counts: engine.counts,
    pipeline: (commands) => settled(log, () => commands.map((command) => engine.run(command))),
    transaction: (commands) => settled(log, () => engine.runTransaction(commands)),
    async close() {
      clearInterval(sweeper)
      log?.close()
    },
  }
}

type Outcome = ReturnType<Engine['runTransaction']>

function settled<T extends Outcome | Reply[]>(log: AppendLog | null, work: () => T): Promise<T> {
  return new Promise((resolve) => {
    const outcome = work()
    log?.flush()
    resolve(outcome)
  })
}

function sweep(engine: Engine, log: AppendLog | null): void {
  engine.sweep(sweepBudget)
  try {
    log?.flush()
  } catch {
    // The next request meets the same fault and reports it to its client.
  }
}
