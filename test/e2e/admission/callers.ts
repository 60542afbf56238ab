// Callers for the torture of admission: so many at a time, each call read to its end, or left in the middle.
import { claudeCall, type CallOptions } from '../../support/claude-call.ts'
import { leave, open, readAll, send, start } from '../../support/raw-http.ts'
import type { World } from './world.ts'

export interface Answered {
  readonly status: number
  readonly reason: string | undefined
  readonly retryAfter: string | undefined
  readonly queuedMs: number
  readonly tookMs: number
  readonly endedAt: number
  /** For a stream: the body's last event is an error. */
  readonly broken: boolean
}

export type Ask = Omit<CallOptions, 'key'> & { readonly key?: string }

export async function call(world: World, ask: Ask): Promise<Answered> {
  const { url, keys } = world.gateway()
  const { status, headers, body, tookMs } = await send(
    url,
    // Its own, since a pooled one may just have been closed for having been idle.
    { ...claudeCall({ key: keys.enterprise, ...ask }), ownConnection: true },
  )
  const reason = headers['sluice-reason']
  return {
    status,
    reason: typeof reason === 'string' ? reason : undefined,
    retryAfter: headers['retry-after'],
    queuedMs: Number(headers['sluice-queued-ms'] ?? 0),
    tookMs,
    endedAt: Date.now(),
    broken: body.includes('event: error'),
  }
}

/** A caller that goes away so many ms after it has asked, wherever the call is by then. */
export async function abandon(
  world: World,
  ask: Ask,
  afterMs: number,
  rst: boolean,
): Promise<void> {
  const { url, keys } = world.gateway()
  const request = start(url, {
    ...claudeCall({ key: keys.enterprise, ...ask }),
    ownConnection: true,
  })
  request.on('response', (response) => {
    response.on('error', () => {})
    response.resume()
  })
  await pause(afterMs)
  if (request.socket === null) request.destroy()
  else leave(request.socket, rst ? 'rst' : 'fin')
}

/** Runs all jobs, so many of them at a time. */
export async function inTurns<T>(
  jobs: readonly (() => Promise<T>)[],
  atATime: number,
): Promise<T[]> {
  const results: T[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    for (let job = jobs[next++]; job !== undefined; job = jobs[next++]) results.push(await job())
  }
  await Promise.all(Array.from({ length: atATime }, worker))
  return results
}

/** Each caller asks again as soon as it was answered, until the time is over. */
export async function keepAsking(
  callers: number,
  isOver: () => boolean,
  askOnce: (caller: number) => Promise<unknown>,
): Promise<void> {
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      while (!isOver()) await askOnce(caller)
    }),
  )
}

/** Streams whose first bytes have come and that are then left open. */
export async function holdStreams(world: World, count: number, ask: Ask): Promise<void> {
  const { url, keys } = world.gateway()
  const request = claudeCall({ key: keys.enterprise, ...ask })
  const answers = await Promise.all(
    Array.from({ length: count }, () => open(url, { ...request, ownConnection: true })),
  )
  for (const { response } of answers) readAll(response).catch(() => {})
}

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms))

export const countBy = <T>(
  items: readonly T[],
  nameOf: (item: T) => string,
): Record<string, number> =>
  Object.fromEntries(
    [...Map.groupBy(items, nameOf)]
      .map(([name, group]) => [name, group.length] as const)
      .toSorted(([, a], [, b]) => b - a),
  )
