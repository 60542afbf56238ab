// Starts the REST bridge over the embedded engine, or over a Redis server when an address is given.
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Backend } from './backend.ts'
import { embeddedBackend } from './embedded.ts'
import { Bridge } from './http/bridge.ts'
import { noFault } from './http/faults.ts'
import type { Fault } from './http/faults.ts'
import { redisBackend } from './remote/backend.ts'

export interface RedisBridgeOptions {
  /** 0 or none for any free port. */
  readonly port?: number
  /** None: a random one is made. */
  readonly token?: string
  /** Where the embedded engine keeps its log; none for memory only. */
  readonly dir?: string
  /** `redis://host:port`: a real server instead of the embedded engine. */
  readonly redisUrl?: string
  /** Opens /__test/fault and /__test/stats, for tests only. */
  readonly faults?: boolean
  readonly mostBodyBytes?: number
}

export interface RedisBridge {
  readonly url: string
  readonly token: string
  readonly engine: 'embedded' | 'redis'
  stats(): {
    readonly http_requests: number
    readonly commands: number
    readonly script_commands: number
  }
  setFault(fault: Partial<Fault>): void
  close(): Promise<void>
}

const mostBodyBytes = 10 * 1024 * 1024

export async function startRedisBridge(options: RedisBridgeOptions = {}): Promise<RedisBridge> {
  const token = options.token ?? randomBytes(24).toString('base64url')
  const backend = await openBackend(options)
  const bridge = new Bridge(backend, {
    token,
    faults: options.faults ?? false,
    mostBodyBytes: options.mostBodyBytes ?? mostBodyBytes,
  })
  const server = createServer((request, response) => {
    // A client that goes away in the middle is the only cause of a rejection.
    bridge.handle(request, response).catch(() => response.destroy())
  })
  // Longer than any client keeps an idle connection, so that none is closed just as it is used again.
  server.keepAliveTimeout = 120_000
  try {
    const port = await listen(server, options.port ?? 0)
    return {
      url: `http://127.0.0.1:${port}`,
      token,
      engine: backend.kind,
      stats: () => bridge.stats(),
      setFault: (fault) => bridge.setFault({ ...noFault, ...fault }),
      close: () => close(server, backend),
    }
  } catch (error) {
    await backend.close()
    throw error
  }
}

function openBackend(options: RedisBridgeOptions): Promise<Backend> {
  if (options.redisUrl !== undefined) return redisBackend(options.redisUrl)
  return Promise.resolve(embeddedBackend(options.dir))
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

async function close(server: Server, backend: Backend): Promise<void> {
  await new Promise((resolve) => {
    server.close(resolve)
    server.closeAllConnections()
  })
  await backend.close()
}
