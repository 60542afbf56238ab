// A simulator for one test file, and small ways to talk to it.
import { createConnection, type Socket } from 'node:net'
import { afterAll, afterEach } from 'vitest'
import {
  startSimulator,
  type RunningSimulator,
  type SimulatorOptions,
} from '../../../tools/simulator/server.ts'

export const MODEL = 'claude-sonnet-5-5'

export async function simulatorForFile(options: SimulatorOptions = {}): Promise<RunningSimulator> {
  const running = await startSimulator(options)
  afterEach(() => running.sim.reset())
  afterAll(() => running.close())
  return running
}

export function headers(extra: Record<string, string> = {}): Record<string, string> {
  return {
    'x-api-key': 'sk-ant-sim-test',
    'anthropic-version': '2023-06-01',
    'content-type': 'application/json',
    ...extra,
  }
}

export function ask(text: string, extra: Record<string, unknown> = {}): Record<string, unknown> {
  return { model: MODEL, max_tokens: 500, messages: [{ role: 'user', content: text }], ...extra }
}

export function post(
  running: RunningSimulator,
  body: unknown,
  options: { path?: string; headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Response> {
  return fetch(`${running.url}${options.path ?? '/v1/messages'}`, {
    method: 'POST',
    headers: headers(options.headers),
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  })
}

export interface SseEvent {
  event: string
  data: Record<string, never> & { type: string }
  raw: string
}

export function readEvents(text: string): SseEvent[] {
  return text
    .split('\n\n')
    .filter((part) => part.startsWith('event: '))
    .map((part) => {
      const [first = '', second = ''] = part.split('\n')
      const raw = second.slice('data: '.length)
      return {
        event: first.slice('event: '.length),
        raw,
        data: JSON.parse(raw) as SseEvent['data'],
      }
    })
}

/** A connection that can be left in every way. */
export function rawRequest(running: RunningSimulator, body: unknown, extra = ''): Socket {
  const text = JSON.stringify(body)
  const socket = createConnection({ port: running.port, host: '127.0.0.1' })
  socket.on('error', () => undefined)
  socket.write(
    `POST /v1/messages HTTP/1.1\r\nhost: sim\r\nx-api-key: sk-ant-sim-test\r\nanthropic-version: 2023-06-01\r\ncontent-type: application/json\r\n${extra}content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  )
  return socket
}
