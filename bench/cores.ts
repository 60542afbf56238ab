// Pins processes to cores and reads what they used. Linux only: elsewhere nothing is pinned, and the report says so.
import { type ChildProcess, execFileSync, spawn, type SpawnOptions } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/** Proxies on one core; load, upstream and store on the other. */
export const PROXY_CORE = 0
export const NEIGHBOUR_CORE = 1

export const canPin = hasTaskset() && availableParallelism() >= 2

function hasTaskset(): boolean {
  try {
    execFileSync('taskset', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

export function spawnPinned(
  core: number,
  [command = '', ...args]: readonly string[],
  options: SpawnOptions,
): ChildProcess {
  const child = canPin
    ? spawn('taskset', ['-c', String(core), command, ...args], options)
    : spawn(command, args, options)
  started.add(child)
  child.once('exit', () => started.delete(child))
  return child
}

/** Whatever ends the benchmark, nothing of it stays behind. */
const started = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of started) child.kill('SIGKILL')
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => process.exit(1))
}

/** Every thread of this process. */
export function pinSelf(core: number): void {
  if (canPin)
    execFileSync('taskset', ['-a', '-p', '-c', String(core), String(process.pid)], {
      stdio: 'ignore',
    })
}

/** Microseconds of CPU that a process has used: all its threads, living and ended. */
export function cpuUsOf(pid: number): number {
  return Math.max(threadsUs(pid), ticksUs(pid))
}

/** Exact, but without the threads that have ended. */
function threadsUs(pid: number): number {
  let nanoseconds = 0
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const [ran = '0'] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')
      nanoseconds += Number(ran)
    }
  } catch {
    return 0
  }
  return nanoseconds / 1_000
}

const TICK_US = 10_000

function ticksUs(pid: number): number {
  const fields = statOf(pid)
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK_US
}

/** /proc/PID/stat after the command's name: state is the first. */
function statOf(pid: number): string[] {
  const path = `/proc/${pid}/stat`
  if (!existsSync(path)) return []
  const stat = readFileSync(path, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

export function rssKbOf(pid: number): number {
  const path = `/proc/${pid}/status`
  if (!existsSync(path)) return 0
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(path, 'utf8'))?.[1] ?? 0)
}

/** The share of both cores that others took while we measured: figures of a busy machine mean little. */
export function totalBusyUs(): number {
  if (!existsSync('/proc/stat')) return 0
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (
    readFileSync('/proc/stat', 'utf8').split('\n', 1)[0] ?? ''
  )
    .split(/\s+/)
    .map(Number)
  return (user + nice + system + irq + softirq + steal) * TICK_US
}
