// One process a directory: a second one would write into a log that the first has already replaced.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface DirectoryLock {
  release(): void
}

export function lockDirectory(directory: string): DirectoryLock {
  const path = join(directory, 'lock')
  const mine = `${process.pid} ${startOf(process.pid)}`
  try {
    writeFileSync(path, mine, { flag: 'wx' })
  } catch {
    const holder = readFileSync(path, 'utf8')
    if (isAlive(holder)) {
      const [pid] = holder.split(' ')
      throw new Error(`Cannot open ${directory} as process ${pid} uses it`)
    }
    writeFileSync(path, mine)
  }
  return { release: () => rmSync(path, { force: true }) }
}

/** A killed process leaves its lock behind, and its number may have gone to another since. */
function isAlive(holder: string): boolean {
  const [pidText = '', start = ''] = holder.split(' ')
  const pid = Number(pidText)
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
  // A zombie was killed and is not yet buried by its parent: it writes nothing any more.
  return statOf(pid)[0] !== 'Z' && start === startOf(pid)
}

/** When a process began, in the kernel's ticks; empty where the kernel does not tell. */
const startOf = (pid: number): string => statOf(pid)[19] ?? ''

/** What the kernel says of a process, its state first; empty where it says nothing (proc(5), fields 3 and on). */
function statOf(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}
