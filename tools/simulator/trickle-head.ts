// Sends the head of the next answer in small slices over a stretch of time. Node writes a head at
// once, so this stands between it and the socket until the head is through.
import type { Socket } from 'node:net'
import type { TimerWheel } from './timer-wheel.ts'

const SLICES = 16

export function trickleHead(socket: Socket, wheel: TimerWheel, overMs: number): void {
  const write = socket.write.bind(socket)
  socket.write = ((chunk: string | Uint8Array) => {
    socket.write = write
    const head = typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk
    const size = Math.ceil(head.length / SLICES)
    for (let i = 0; i < SLICES; i++) {
      const slice = head.subarray(i * size, (i + 1) * size)
      // The last slice must be out before the body follows at the end of the stretch.
      wheel.after((i * overMs) / (SLICES + 1), () => {
        if (!socket.destroyed) write(slice)
      })
    }
    return true
  }) as Socket['write']
}
