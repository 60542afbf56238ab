// Whether an address takes TCP connections, for Bun and Deno, which both have Node's sockets.
import { connect } from 'node:net'
import type { OpenConnection } from '../anthropic/upstream.ts'

export const openConnection: OpenConnection = ({ hostname, port }, signal) =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port })
    const end = (): void => {
      signal.removeEventListener('abort', end)
      socket.destroy()
    }
    signal.addEventListener('abort', end)
    socket.once('connect', () => {
      end()
      resolve()
    })
    socket.once('error', (error) => {
      end()
      reject(error)
    })
  })
