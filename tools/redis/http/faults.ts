// Faults for tests of whoever talks to the bridge: late, silent, cut off, failing or talking nonsense.
import type { ServerResponse } from 'node:http'

export const faultModes = ['ok', 'delay', 'hang', 'refuse', 'error500', 'garbage'] as const

export type FaultMode = (typeof faultModes)[number]

export interface Fault {
  readonly mode: FaultMode
  readonly delayMs: number
  /** How many requests it still befalls; null for all. */
  readonly remaining: number | null
}

export const noFault: Fault = { mode: 'ok', delayMs: 0, remaining: null }

/** Reads `{"mode", "delay_ms"?, "times"?}`; null when it is no such thing. */
export function parseFault(body: string): Fault | null {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null) return null
  const { mode, delay_ms: delay = 0, times = null } = value as Record<string, unknown>
  const known = faultModes.find((candidate) => candidate === mode)
  if (known === undefined || typeof delay !== 'number' || !(delay >= 0)) return null
  if (times !== null && (typeof times !== 'number' || !(times >= 1))) return null
  return { mode: known, delayMs: delay, remaining: times }
}

export function afterOne(fault: Fault): Fault {
  if (fault.remaining === null) return fault
  return fault.remaining <= 1 ? noFault : { ...fault, remaining: fault.remaining - 1 }
}

/** Lets the fault happen to this response; true when the request may still be served. */
export async function suffer(fault: Fault, response: ServerResponse): Promise<boolean> {
  switch (fault.mode) {
    case 'ok':
      return true
    case 'delay':
      await new Promise((resolve) => setTimeout(resolve, fault.delayMs))
      return true
    case 'hang':
      return false
    case 'refuse':
      response.socket?.resetAndDestroy()
      return false
    case 'error500':
      response.writeHead(500, { 'content-type': 'application/json' })
      response.end('{"error":"ERR internal server error"}')
      return false
    case 'garbage':
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end('<html>\0 this is no JSON')
      return false
  }
}
