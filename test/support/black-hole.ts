// An address on which handshakes hang: a listener that never accepts, in a process that does nothing else, with its
// backlog full. A firewall that drops packets looks the same.
import { spawn } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import process from 'node:process'

export interface BlackHole {
  readonly port: number
  readonly url: string
  stop(): void
}

const LISTENER = `
const server = require('node:net').createServer()
server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
  require('node:fs').writeSync(1, String(server.address().port) + '\\n')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
})`
const HANGS_AFTER_MS = 300
const MOST_FILLERS = 16

export async function openBlackHole(): Promise<BlackHole> {
  const child = spawn(process.execPath, ['-e', LISTENER], { stdio: ['ignore', 'pipe', 'inherit'] })
  const port = await new Promise<number>((resolve) =>
    child.stdout.once('data', (text) => resolve(Number(String(text)))),
  )
  const fillers: Socket[] = []
  while (fillers.length < MOST_FILLERS && (await connects(port, fillers)));
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    stop: () => {
      for (const socket of fillers) socket.destroy()
      child.kill('SIGKILL')
    },
  }
}

const connects = (port: number, fillers: Socket[]): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => resolve(true))
    socket.on('error', () => resolve(false))
    fillers.push(socket)
    setTimeout(() => resolve(false), HANGS_AFTER_MS)
  })
