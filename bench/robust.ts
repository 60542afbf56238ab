// What the gateway withstands, from one command: malformed input, a hundred thousand requests, a thousand open
// streams, and callers that leave at any moment.
import { join } from 'node:path'
import { malformedInputs } from '../test/support/malformed-inputs.ts'
import { send } from '../test/support/raw-http.ts'
import { startPart } from '../tools/dev/processes.ts'
import { holdStreams, type OpenStreams } from './checks.ts'
import { rssKbOf } from './cores.ts'
import { Connection } from './load/connection.ts'
import { Load } from './load/load.ts'
import { messageRequest } from './load/requests.ts'
import { sleep } from './measure.ts'
import { describeMachine } from './machine.ts'
import { floor, sluice, type Subject, type SubjectOptions } from './subjects.ts'
import { paced } from './upstream/claude.ts'
import { end } from './workerd.ts'

type Say = (line: string) => void

export type Robustness = Awaited<ReturnType<typeof runRobustness>>

export async function runRobustness(options: SubjectOptions, say: Say) {
  const malformed = await sendMalformed(options, say)
  const requests = await sendMany(options, say)
  const streams: Record<string, OpenStreams> = {}
  for (const start of [() => floor('floor', options), () => sluice(options)]) {
    const subject = await start()
    const held = await holdStreams(subject, 1_000, options)
    streams[subject.name] = held
    say(`${subject.name}: ${held.opened} streams open, ${held.kbPerStream.toFixed(0)} KB each`)
    await subject.stop()
  }
  const leaving = await leaveAnywhere(options, say)
  return { machine: describeMachine(), malformed, requests, streams, leaving }
}

/** Against the simulator, since Claude refuses what the gateway must not judge. */
async function sendMalformed(options: SubjectOptions, say: Say) {
  const simulator = await startPart<{ url: string }>(
    join(import.meta.dirname, '../tools/simulator/main.ts'),
    ['--port=0', '--json', '--exit-with-parent'],
  )
  const subject = await sluice(options, {
    name: 'malformed',
    settings: { ANTHROPIC_BASE_URL: simulator.ready.url },
  })
  const inputs = malformedInputs(subject.headers['x-api-key'] ?? '')
  const byStatus: Record<string, number> = {}
  const wrong: string[] = []
  for (const input of inputs) {
    const { name, path, headers, chunkBytes } = input
    const request = {
      path,
      headers,
      body: input.body(),
      ...(chunkBytes === undefined ? {} : { chunkBytes }),
    }
    const answer = await send(`http://127.0.0.1:${subject.port}`, request).catch(() => null)
    const status = String(answer?.status ?? 'cut')
    byStatus[status] = (byStatus[status] ?? 0) + 1
    const isError = /^\s*\{\s*"type":\s*"error"/.test(answer?.body.toString('latin1') ?? '')
    if (!/^4\d\d$/.test(status) || !isError) wrong.push(`${name}: ${status}`)
  }
  await subject.stop()
  await end(simulator.child)
  say(
    `malformed: ${inputs.length} sent, by status ${JSON.stringify(byStatus)}, wrong: ${wrong.length}`,
  )
  return { sent: inputs.length, byStatus, wrong }
}

const MANY = 100_000
const SAMPLE_EVERY = 10_000

async function sendMany(options: SubjectOptions, say: Say) {
  const subject = await sluice(options, { name: 'many' })
  const request = messageRequest({ bytes: 1_000, ask: '', headers: subject.headers })
  const load = new Load({
    port: subject.port,
    request,
    connections: 16,
    deltas: 0,
    repeats: true,
    measuresLag: false,
  })
  const rssMb: number[] = []
  load.start()
  for (let answers = 0; answers < MANY;) {
    await sleep(50)
    answers += load.takeSeen().answers
    if (answers < (rssMb.length + 1) * SAMPLE_EVERY) continue
    rssMb.push(Math.round(rssKbOf(subject.pid) / 1_024))
    say(`${answers} requests: ${rssMb.at(-1)} MB`)
  }
  await load.stop()
  await subject.stop()
  return { requests: MANY, failures: Object.fromEntries(load.failures), rssMb }
}

const LEAVERS = 500
const SLOTS = 20

/** Callers leave at moments of chance; afterwards every slot of a small gate must be free again. */
async function leaveAnywhere(options: SubjectOptions, say: Say) {
  const subject = await sluice(options, {
    name: 'leaving',
    settings: {
      ANTHROPIC_ACCOUNTS: JSON.stringify([
        { id: 'bench', api_key: 'sk-ant-bench', max_concurrent: SLOTS, min_concurrent: SLOTS },
      ]),
    },
  })
  const stream = messageRequest({ bytes: 300, ask: paced(2_000), headers: subject.headers })
  for (let left = 0; left < LEAVERS; left += 1) {
    const connection = new Connection(subject.port, { onAnswer: () => {} })
    connection.send(stream)
    setTimeout(() => connection.leave(), Math.random() * 100)
    await sleep(Math.random() * 8)
  }
  await sleep(500)
  const { openStreams } = (await options.neighbours.takeCounts()).upstream
  const admitted = await countAdmitted(subject)
  await subject.stop()
  say(
    `leaving: ${LEAVERS} left, ${openStreams} upstream calls still open, ${admitted} of ${SLOTS} slots free`,
  )
  return { left: LEAVERS, openUpstreamCalls: openStreams, slots: SLOTS, slotsFree: admitted }
}

/** So many streams at once as there are slots, none of which may wait. */
async function countAdmitted(subject: Subject): Promise<number> {
  const request = messageRequest({
    bytes: 300,
    ask: paced(20),
    headers: { ...subject.headers, 'sluice-max-wait-ms': '0' },
  })
  const answers = Array.from(
    { length: SLOTS },
    () =>
      new Promise<boolean>((resolve) => {
        const connection: Connection = new Connection(subject.port, {
          onAnswer: ({ status }) => {
            connection.leave()
            resolve(status === 200)
          },
          onCut: () => resolve(false),
        })
        connection.send(request)
      }),
  )
  return (await Promise.all(answers)).filter(Boolean).length
}
