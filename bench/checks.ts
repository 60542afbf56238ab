// What is counted rather than timed: round trips and object calls of a request on a warm path, callers that leave,
// and the memory of open streams.
import { rssKbOf } from './cores.ts'
import { Connection } from './load/connection.ts'
import { messageRequest } from './load/requests.ts'
import { sleep } from './measure.ts'
import { nowUs } from './clock.ts'
import { percentile } from './stats.ts'
import type { Subject, SubjectOptions } from './subjects.ts'
import { OPEN, paced } from './upstream/claude.ts'

export interface Checks {
  readonly perRequest: PerRequest | null
  readonly leaving: readonly Leaving[]
}

/** Of one request on a warm path. */
export interface PerRequest {
  readonly storeRoundTrips: number
  readonly storeCommands: number
  /** Of an account's gate and of the tenant's ledger, side by side with the store. */
  readonly objectCallsBefore: number
  /** Those may be one for the ends of several calls. */
  readonly objectCallsAfter: number
  readonly upstreamCalls: number
}

/** A close while Claude is silent is seen by no proxy before it writes again, so it is not counted here. */
export const WAYS = ['closed, tokens flow', 'reset, tokens flow', 'reset, Claude silent'] as const
export type Way = (typeof WAYS)[number]

export interface Leaving {
  readonly subject: string
  readonly how: Way
  readonly streams: number
  readonly cutWithin100Ms: number
  /** NaN where none was cut. */
  readonly slowestMs: number
}

const STREAMS = 20
const PATIENCE_MS = 2_000

export async function runChecks(
  subjects: readonly Subject[],
  options: SubjectOptions,
  say: (line: string) => void,
): Promise<Checks> {
  const sluice = subjects.find(({ name }) => name === 'sluice')
  const perRequest = sluice === undefined ? null : await countCalls(sluice, options)
  say(`calls of one request: ${JSON.stringify(perRequest)}`)
  const leaving: Leaving[] = []
  for (const subject of subjects.filter(({ name }) => name !== 'floor-again')) {
    for (const how of WAYS) {
      const left = await leaveStreams(subject, how, options)
      say(
        `${subject.name}: ${left.cutWithin100Ms} of ${STREAMS} cut within 100 ms, ${how}; the slowest ${left.slowestMs.toFixed(0)} ms`,
      )
      leaving.push(left)
    }
  }
  return { perRequest, leaving }
}

const REQUESTS = 200

async function countCalls(sluice: Subject, { neighbours }: SubjectOptions): Promise<PerRequest> {
  const request = messageRequest({ bytes: 300, ask: '', headers: sluice.headers })
  await sendInTurn(sluice, request, 20)
  await neighbours.takeCounts()
  const before = await readCalls(sluice)
  await sendInTurn(sluice, request, REQUESTS)
  const after = await readCalls(sluice)
  const { store, upstream } = await neighbours.takeCounts()
  return {
    storeRoundTrips: store.requests / REQUESTS,
    storeCommands: store.commands / REQUESTS,
    objectCallsBefore: (after.admit + after.reserve - before.admit - before.reserve) / REQUESTS,
    objectCallsAfter: (after.settle + after.bill - before.settle - before.bill) / REQUESTS,
    upstreamCalls: upstream.requests / REQUESTS,
  }
}

interface ObjectCalls {
  readonly admit: number
  readonly settle: number
  readonly reserve: number
  readonly bill: number
}

async function readCalls({ port }: Subject): Promise<ObjectCalls> {
  // What comes after the answer has come by then.
  await sleep(200)
  const response = await fetch(`http://127.0.0.1:${port}/__bench/calls`)
  return (await response.json()) as ObjectCalls
}

function sendInTurn({ port }: Subject, request: Buffer, times: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = times
    const connection: Connection = new Connection(port, {
      onAnswer: ({ status }) => {
        if (status !== 200) return reject(new Error(`Answered ${status}`))
        left -= 1
        if (left > 0) return connection.send(request)
        connection.leave()
        resolve()
      },
      onCut: () => reject(new Error('The connection was cut')),
    })
    connection.send(request)
  })
}

async function leaveStreams(
  subject: Subject,
  how: Way,
  { neighbours }: SubjectOptions,
): Promise<Leaving> {
  const request = messageRequest({
    bytes: 300,
    ask: how.endsWith('silent') ? OPEN : paced(4_000),
    headers: subject.headers,
  })
  const connections = Array.from({ length: STREAMS }, () => {
    const connection = new Connection(subject.port, { onAnswer: () => {} })
    connection.send(request)
    return connection
  })
  await sleep(500)
  await neighbours.takeCounts()
  const leftUs: number[] = []
  for (const connection of connections) {
    leftUs.push(nowUs())
    connection.leave(how.startsWith('reset') ? 'reset' : 'close')
    // One after the other: each has its own way to go.
    await sleep(20)
  }
  await sleep(PATIENCE_MS)
  const { cutsUs } = (await neighbours.takeCounts()).upstream
  // Cuts come in the order in which the callers left, or nearly so.
  const tookMs = cutsUs.map((us, at) => (us - (leftUs[at] ?? us)) / 1_000)
  return {
    subject: subject.name,
    how,
    streams: STREAMS,
    cutWithin100Ms: tookMs.filter((ms) => ms <= 100).length,
    slowestMs: percentile(tookMs, 1),
  }
}

export interface OpenStreams {
  readonly streams: number
  readonly opened: number
  readonly kbPerStream: number
}

/** Memory of streams that stay open, of a process that has served before. */
export async function holdStreams(
  subject: Subject,
  streams: number,
  { neighbours }: SubjectOptions,
): Promise<OpenStreams> {
  await sendInTurn(
    subject,
    messageRequest({ bytes: 300, ask: '', headers: subject.headers }),
    3_000,
  )
  await sleep(1_000)
  const beforeKb = rssKbOf(subject.pid)
  const request = messageRequest({ bytes: 300, ask: OPEN, headers: subject.headers })
  const connections: Connection[] = []
  for (let index = 0; index < streams; index += 1) {
    const connection = new Connection(subject.port, { onAnswer: () => {} })
    connection.send(request)
    connections.push(connection)
    if (index % 20 === 19) await sleep(20)
  }
  await sleep(2_000)
  const { openStreams } = (await neighbours.takeCounts()).upstream
  const afterKb = rssKbOf(subject.pid)
  for (const connection of connections) connection.leave()
  await sleep(1_000)
  return { streams, opened: openStreams, kbPerStream: (afterKb - beforeKb) / streams }
}
