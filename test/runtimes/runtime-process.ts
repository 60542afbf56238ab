// The gateway as a process on Bun or Deno, started by the command that docs/DEPLOY.md names; its log lines are read
// as they come, so that tests await them instead of sleeping.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const root = join(import.meta.dirname, '../..')
const READY_WITHIN_MS = 15_000
const STOP_WITHIN_MS = 10_000

export type RuntimeName = 'bun' | 'deno'

const COMMANDS: Readonly<Record<RuntimeName, readonly string[]>> = {
  bun: ['src/bun.ts'],
  deno: [
    'run',
    '--no-lock',
    '--no-prompt',
    '--allow-net',
    '--allow-env',
    '--allow-read',
    '--allow-write',
    '--allow-sys',
    'src/deno.ts',
  ],
}

const QUIET = { DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' }

const binaryOf = (runtime: RuntimeName): string => join(root, 'node_modules', '.bin', runtime)

/** An install without scripts leaves a placeholder there that does not run. */
export const hasRuntime = (runtime: RuntimeName): boolean =>
  spawnSync(binaryOf(runtime), ['--version'], { env: QUIET }).status === 0

export type LogLine = Readonly<Record<string, string | number | boolean | null>>

export interface StartOptions {
  readonly runtime: RuntimeName
  readonly database: string
  readonly settings: Readonly<Record<string, string>>
  readonly args?: readonly string[]
}

export interface RuntimeProcess {
  readonly url: string
  readonly child: ChildProcess
  readonly stderr: () => string
  /** The lines so far, oldest first. */
  readonly lines: readonly LogLine[]
  /** The first line that passes, once there is one. */
  awaitLine(passes: (line: LogLine) => boolean): Promise<LogLine>
  /** Resolves with the exit code; null when a signal ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

export interface RefusedStart {
  readonly code: number | null
  readonly stderr: string
}

const running = new Set<ChildProcess>()

/** For the end of a file: a test that failed has not stopped what it started. */
export function killLeftovers(): void {
  for (const child of running) child.kill('SIGKILL')
}

export async function startRuntime(options: StartOptions): Promise<RuntimeProcess> {
  const started = launch(options)
  const refused = started.gone.then((code) => {
    throw new Error(`${options.runtime} did not start, code ${code}: ${started.stderr()}`)
  })
  refused.catch(() => {})
  const line = await Promise.race([started.awaitLine(isListening), refused, late(options.runtime)])
  return {
    ...started,
    url: String(line['url']),
    stop: (signal = 'SIGTERM') => stop(started.child, started.gone, signal),
  }
}

const isListening = (line: LogLine): boolean => line['event'] === 'listening'

/** Starts what is expected to refuse. */
export async function startRefused(options: StartOptions): Promise<RefusedStart> {
  const { child, gone, stderr, awaitLine } = launch(options)
  const started = awaitLine(isListening).then(async () => {
    await stop(child, gone, 'SIGKILL')
    throw new Error('It started all the same')
  })
  started.catch(() => {})
  const code = await Promise.race([gone, started])
  return { code, stderr: stderr() }
}

function launch({ runtime, database, settings, args = [] }: StartOptions) {
  const child = spawn(
    binaryOf(runtime),
    [...COMMANDS[runtime], '--port', '0', '--database', database, ...args],
    {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...QUIET, ...settings },
    },
  )
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const gone = new Promise<number | null>((resolve) => child.once('close', resolve))
  running.add(child)
  void gone.then(() => running.delete(child))
  return { child, gone, stderr: () => stderr, ...readLines(child.stdout) }
}

function readLines(stdout: NodeJS.ReadableStream) {
  const lines: LogLine[] = []
  const waiting = new Set<(line: LogLine) => void>()
  createInterface({ input: stdout }).on('line', (text) => {
    const line = JSON.parse(text) as LogLine
    lines.push(line)
    for (const tell of waiting) tell(line)
  })
  const awaitLine = (passes: (line: LogLine) => boolean): Promise<LogLine> => {
    const known = lines.find(passes)
    if (known !== undefined) return Promise.resolve(known)
    return new Promise((resolve) => {
      const tell = (line: LogLine): void => {
        if (!passes(line)) return
        waiting.delete(tell)
        resolve(line)
      }
      waiting.add(tell)
    })
  }
  return { lines, awaitLine }
}

const late = (runtime: RuntimeName): Promise<never> =>
  new Promise((_, reject) => {
    const message = `${runtime} was not ready within ${READY_WITHIN_MS} ms`
    setTimeout(() => reject(new Error(message)), READY_WITHIN_MS).unref()
  })

async function stop(
  child: ChildProcess,
  gone: Promise<number | null>,
  signal: NodeJS.Signals,
): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal)
  const kill = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS)
  try {
    return await gone
  } finally {
    clearTimeout(kill)
  }
}
