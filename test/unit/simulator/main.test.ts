// The program: its ready line, its end by signals and by its parent.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { describe, expect, it } from 'vitest'

function start(args: string[]) {
  const child = spawn(process.execPath, ['tools/simulator/main.ts', '--port', '0', ...args])
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const lines = createInterface({ input: child.stdout })
  const first = new Promise<string>((resolve) => lines.once('line', resolve))
  return { child, ended, first }
}

describe('npm run simulate', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('answers, and stops on %s', async (signal) => {
    const { child, ended, first } = start(['--json', '--latency', 'none'])
    const ready = JSON.parse(await first) as { ready: boolean; url: string; pid: number }
    expect(ready).toMatchObject({ ready: true, pid: child.pid })
    expect((await fetch(`${ready.url}/api/hello`, { method: 'HEAD' })).status).toBe(200)
    child.kill(signal)
    expect(await ended).toBe(0)
  })

  it('stops when its parent goes away, where told so', async () => {
    const { child, ended, first } = start(['--exit-with-parent'])
    expect(await first).toMatch(/^The Claude simulator answers at http:\/\/127\.0\.0\.1:\d+$/)
    child.stdin.end()
    expect(await ended).toBe(0)
  })

  it('names a bad option and ends', async () => {
    const { ended } = start(['--latency', 'fast'])
    expect(await ended).toBe(2)
  })
})
