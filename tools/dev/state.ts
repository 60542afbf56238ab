// What lasts between runs of `npm run dev`: the secrets and keys of this machine, and the processes of the last run.
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isAlive, commandOf } from './processes.ts'

export interface DevSecrets {
  readonly adminToken: string
  readonly pepper: string
  readonly redisToken: string
  readonly keys: Readonly<Record<TierName, string>>
}

export type TierName = 'free' | 'premium' | 'enterprise'

export interface ReadyLine {
  readonly ready: true
  readonly url: string
  readonly admin_token: string
  readonly keys: Readonly<Record<TierName, string>>
  readonly redis: string
  readonly upstream: string
  readonly pids: readonly number[]
}

/** Reads the secrets of this state directory, or makes them once. */
export function openSecrets(dir: string, makeKey: (random: Uint8Array) => string): DevSecrets {
  mkdirSync(dir, { recursive: true })
  const path = join(dir, 'secrets.json')
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as DevSecrets
  const secrets: DevSecrets = {
    adminToken: `admin_${randomBytes(24).toString('hex')}`,
    pepper: randomBytes(32).toString('hex'),
    redisToken: randomBytes(24).toString('hex'),
    keys: {
      free: makeKey(randomBytes(256)),
      premium: makeKey(randomBytes(256)),
      enterprise: makeKey(randomBytes(256)),
    },
  }
  writeWhole(path, `${JSON.stringify(secrets, null, 2)}\n`)
  return secrets
}

export function writeReadyLine(dir: string, line: ReadyLine): void {
  writeWhole(join(dir, 'dev.json'), `${JSON.stringify(line)}\n`)
}

/**
 * Ends what an earlier run left behind: its parent was killed before it could stop them. Only processes that still
 * look like ours are ended, since a process id is used again.
 */
export async function endLeftovers(dir: string): Promise<void> {
  const path = join(dir, 'dev.json')
  if (!existsSync(path)) return
  const { pids } = JSON.parse(readFileSync(path, 'utf8')) as ReadyLine
  const ours = pids.filter((pid) => pid !== process.pid && isOurs(pid))
  if (ours.some((pid) => commandOf(pid).includes('tools/dev/main.ts'))) {
    throw new Error(`Cannot start as another gateway runs on this state directory: stop it first`)
  }
  for (const pid of ours) process.kill(pid, 'SIGKILL')
  for (let waited = 0; waited < 2_000 && ours.some(isAlive); waited += 20) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const isOurs = (pid: number): boolean =>
  isAlive(pid) && /workerd|tools\/(dev|redis|simulator)\//.test(commandOf(pid))

/** A reader sees the old file or the new one, never half of one. */
function writeWhole(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}
