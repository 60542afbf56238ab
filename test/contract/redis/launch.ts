// The bridge as a process of its own, as `npm run dev` starts it.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Redis } from '@upstash/redis'

const main = fileURLToPath(new URL('../../../tools/redis/main.ts', import.meta.url).href)

export interface Launched {
  readonly child: ChildProcess
  readonly ready: {
    readonly ready: boolean
    readonly url: string
    readonly token: string
    readonly engine: string
  }
  readonly redis: Redis
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>
}

export async function launch(...args: readonly string[]): Promise<Launched> {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise<number | string | null>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal))
  })
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve)
    child.once('exit', () => reject(new Error('The process ended before it was ready')))
  })
  const ready = JSON.parse(line)
  const redis = new Redis({ url: ready.url, token: ready.token, retry: false })
  return { child, ready, redis, ended }
}
