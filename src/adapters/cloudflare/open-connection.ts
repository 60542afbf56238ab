// Whether an address takes TCP connections, by the platform's sockets. It allows none to its own addresses: there a
// try is refused at once, and nothing is learnt.
import { connect } from 'cloudflare:sockets'
import type { OpenConnection } from '../anthropic/upstream.ts'

export const openConnection: OpenConnection = async (address, signal) => {
  const socket = connect(address)
  const close = (): void => void socket.close().catch(() => {})
  socket.closed.catch(() => {})
  signal.addEventListener('abort', close)
  try {
    await socket.opened
  } finally {
    signal.removeEventListener('abort', close)
    close()
  }
}
