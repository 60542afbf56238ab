// Starts a simulator on a port of its own and hands out what a test needs of it.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { handleControl, isControl } from './control.ts'
import { handleRequest } from './handle.ts'
import { DEFAULT_SETTINGS, type Settings } from './settings.ts'
import { Simulator } from './simulator.ts'

export interface SimulatorOptions extends Partial<Settings> {
  /** 0 takes any free port. */
  port?: number
  host?: string
}

export interface RunningSimulator {
  url: string
  port: number
  /** State and control in process; over HTTP the same is under `/__sim`. */
  sim: Simulator
  journal: Simulator['journal']
  close(): Promise<void>
}

export async function startSimulator(options: SimulatorOptions = {}): Promise<RunningSimulator> {
  const { port = 0, host = '127.0.0.1', ...settings } = options
  const sim = new Simulator({ ...DEFAULT_SETTINGS, ...settings })
  const server = createServer({ maxHeaderSize: 64 * 1024, noDelay: true }, (req, res) => {
    if (isControl(req.url ?? '')) handleControl(sim, req, res)
    else handleRequest(sim, req, res)
  })
  // A gateway keeps connections for long; closing idle ones under it would look like a fault.
  server.keepAliveTimeout = 120_000
  server.requestTimeout = 0
  server.headersTimeout = 0
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => resolve())
  })
  const bound = (server.address() as AddressInfo).port
  return {
    url: `http://${host}:${bound}`,
    port: bound,
    sim,
    journal: sim.journal,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
        sim.wheel.stop()
        sim.files.clear()
      }),
  }
}
