// The gateway as its users start it: `node tools/dev/main.ts` in a process of its own, and its ready line.
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import type { ReadyLine } from '../../tools/dev/state.ts'

export const repositoryRoot = join(import.meta.dirname, '../..')
const READY_WITHIN_MS = 60_000
const STOP_WITHIN_MS = 15_000

export interface DevOptions {
  readonly dir: string
  readonly port?: number
  readonly env?: Readonly<Record<string, string>>
  /** Instead of `--json`, which prints the ready line. */
  readonly flags?: readonly string[]
}

export interface DevProcess {
  readonly child: ChildProcess
  readonly ready: ReadyLine
  readonly readyAfterMs: number
  readonly stderr: () => string
  /** Resolves with the exit code once it is gone; null when a signal ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

/** The start was refused: what it said, and how it ended. */
export class StartRefused extends Error {
  readonly code: number | null
  readonly stderr: string

  constructor(code: number | null, stderr: string) {
    super(`The gateway did not start, code ${code}: ${stderr}`)
    this.name = 'StartRefused'
    this.code = code
    this.stderr = stderr
  }
}

export async function startDev(options: DevOptions): Promise<DevProcess> {
  const startedAt = performance.now()
  const child = spawn(process.execPath, argumentsOf(options), {
    cwd: repositoryRoot,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...cleanEnvironment(), ...options.env },
  })
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const gone = new Promise<number | null>((resolve) => child.once('close', resolve))
  // The reaper ends the rest when this one is gone.
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  void gone.then(() => process.off('exit', kill))
  const line = await firstLine(child.stdout, gone).catch((error: unknown) => {
    kill()
    throw error
  })
  if (line === null) throw new StartRefused(await gone, stderr)
  return {
    child,
    ready: JSON.parse(line) as ReadyLine,
    readyAfterMs: Math.round(performance.now() - startedAt),
    stderr: () => stderr,
    stop: (signal = 'SIGTERM') => stop(child, gone, signal),
  }
}

function argumentsOf({ dir, port = 0, flags = [] }: DevOptions): string[] {
  const script = 'tools/dev/main.ts'
  return [script, '--port', String(port), '--direct', '--json', '--state', dir, ...flags]
}

/** What the machine has set must not decide what is tested. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const ours =
    /^(SLUICE_|ANTHROPIC_|UPSTASH_|REDIS_URL$|ADMIN_TOKEN$|KEY_PEPPER$|NODE_OPTIONS$|VITEST)/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)))
}

/** Null when it ended without a line. */
function firstLine(stdout: NodeJS.ReadableStream, gone: Promise<unknown>): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(
      () => reject(new Error(`The gateway was not ready within ${READY_WITHIN_MS} ms`)),
      READY_WITHIN_MS,
    )
    const settle = (line: string | null): void => {
      clearTimeout(late)
      resolve(line)
    }
    createInterface({ input: stdout }).once('line', settle)
    void gone.then(() => settle(null))
  })
}

async function stop(
  child: ChildProcess,
  gone: Promise<number | null>,
  signal: NodeJS.Signals,
): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal)
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS)
  try {
    return await gone
  } finally {
    clearTimeout(late)
  }
}
