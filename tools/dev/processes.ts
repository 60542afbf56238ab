// Looks at and starts processes. Linux tells through /proc; elsewhere `ps` does.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !isZombie(pid)
  } catch {
    return false
  }
}

function isZombie(pid: number): boolean {
  const path = `/proc/${pid}/stat`
  return existsSync(path) && / Z /.test(readFileSync(path, 'utf8').replace(/\(.*\)/, ''))
}

export function commandOf(pid: number): string {
  try {
    if (existsSync('/proc/self')) {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
    }
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' })
  } catch {
    return ''
  }
}

/** Process ids whose parent is `parent` and whose command holds `text`. */
export function findChildren(parent: number, text: string): number[] {
  const rows = existsSync('/proc/self')
    ? readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .map((name) => ({ pid: Number(name), ppid: parentOf(Number(name)) }))
    : execFileSync('ps', ['-axo', 'pid=,ppid='], { encoding: 'utf8' })
        .trim()
        .split('\n')
        .map((row) => row.trim().split(/\s+/).map(Number))
        .map(([pid = 0, ppid = 0]) => ({ pid, ppid }))
  return rows
    .filter((row) => row.ppid === parent && commandOf(row.pid).includes(text))
    .map((row) => row.pid)
}

function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return 0
  }
}

export interface Part<Ready> {
  readonly child: ChildProcess
  readonly ready: Ready
}

/**
 * Starts one of the gateway's neighbours with this Node and waits for its ready line. Its standard input stays
 * open as long as we live: it ends itself when that closes, so that a killed parent leaves nothing behind.
 */
export async function startPart<Ready>(script: string, args: string[]): Promise<Part<Ready>> {
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ready = await new Promise<Ready>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`${script} ended at start with code ${code}`)))
    child.once('error', reject)
    createInterface({ input: child.stdout }).once('line', (line) => {
      try {
        resolve(JSON.parse(line) as Ready)
      } catch (cause) {
        reject(new Error(`${script} printed no ready line: ${line}`, { cause }))
      }
    })
  })
  return { child, ready }
}
