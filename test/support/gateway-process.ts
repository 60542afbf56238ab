// The gateway as its users start it: `node tools/dev/main.ts` in a process of its own, and its ready line.
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ReadyLine } from '../../tools/dev/state.ts'

export const repositoryRoot = join(import.meta.dirname, '../..')
const READY_WITHIN_MS = 60_000
const LAST_LINE = /^(\{"ready":true.*\}|Stop with Ctrl-C.*)\n/m
const STOP_WITHIN_MS = 15_000

export interface DevOptions {
  readonly dir: string
  readonly port?: number
  readonly env?: Readonly<Record<string, string>>
  /** False: with the development proxy and its reloads. */
  readonly direct?: boolean
  /** False: what people read, instead of one JSON line. */
  readonly json?: boolean
}

export interface DevProcess {
  readonly child: ChildProcess
  /** As in dev.json. */
  readonly ready: ReadyLine
  readonly readyAfterMs: number
  readonly stdout: () => string
  readonly stderr: () => string
  /** Resolves with the exit code once it is gone; null when a signal ended it. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<number | null>
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
  const dev = spawnDev(options)
  const { child, gone, stdout, stderr } = dev
  const isReady = await written(dev, LAST_LINE).catch((error: unknown) => {
    child.kill('SIGKILL')
    throw error
  })
  if (!isReady) throw new StartRefused(await gone, stderr())
  return {
    child,
    ready: JSON.parse(readFileSync(join(options.dir, 'dev.json'), 'utf8')) as ReadyLine,
    readyAfterMs: Math.round(performance.now() - startedAt),
    stdout,
    stderr,
    stop: (signal = 'SIGTERM') => stop(child, gone, signal),
  }
}

export interface SpawnedDev {
  readonly child: ChildProcess
  /** Its exit code, once it has ended; null when a signal ended it. */
  readonly gone: Promise<number | null>
  readonly stdout: () => string
  readonly stderr: () => string
}

/** Does not wait for it to be ready. */
export function spawnDev(options: DevOptions): SpawnedDev {
  const child = spawn(process.execPath, argumentsOf(options), {
    cwd: repositoryRoot,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...cleanEnvironment(), ...options.env },
  })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text
    })
  }
  const gone = new Promise<number | null>((resolve) => child.once('close', resolve))
  // The reaper ends the rest when this one is gone.
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  void gone.then(() => process.off('exit', kill))
  return { child, gone, stdout: () => said.stdout, stderr: () => said.stderr }
}

function argumentsOf({ dir, port = 0, direct = true, json = true }: DevOptions): string[] {
  const flags = [...(direct ? ['--direct'] : []), ...(json ? ['--json'] : [])]
  return ['tools/dev/main.ts', '--port', String(port), '--state', dir, ...flags]
}

/** What the machine has set must not decide what is tested. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const ours =
    /^(SLUICE_|ANTHROPIC_|UPSTASH_|REDIS_URL$|ADMIN_TOKEN$|KEY_PEPPER$|NODE_OPTIONS$|VITEST)/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)))
}

/** False when it ended without saying so. */
function written({ child, gone, stdout }: SpawnedDev, text: RegExp): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(
      () => reject(new Error(`The gateway was not ready within ${READY_WITHIN_MS} ms`)),
      READY_WITHIN_MS,
    )
    const settle = (isReady: boolean): void => {
      clearTimeout(late)
      resolve(isReady)
    }
    child.stdout?.on('data', () => {
      if (text.test(stdout())) settle(true)
    })
    void gone.then(() => settle(false))
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
