// The ports of jobs over the places where tenants' jobs are: cuts what is large into pieces, and puts pieces together.
import type { Page } from '../../ports/admin.ts'
import type {
  FinishedRun,
  JobBatchRuns,
  JobMessage,
  JobRuns,
  Jobs,
  JobSubmission,
  RunClaim,
  StoredJob,
  Submitted,
} from '../../ports/jobs.ts'
import type { Part } from './job-pieces.ts'
import { type JobsPlace, PIECE_BYTES } from './jobs-place.ts'

export type PlaceOf = (tenant: string) => JobsPlace

export function jobsOver(placeOf: PlaceOf): Jobs & JobRuns & JobBatchRuns {
  return {
    submit: (submission) => submit(placeOf(submission.facts.tenant), submission),
    find: async (tenant, id) => placeOf(tenant).look(id),
    list: async (tenant, filter, page: Page) => placeOf(tenant).list(filter, page),
    readResult: ({ job, facts, resultPieces }) =>
      readPieces(placeOf(facts.tenant), { id: job.id, part: 'result', from: 0, to: resultPieces }),
    cancel: async (tenant, id) => placeOf(tenant).cancel(id),

    async claim({ tenant, job }: JobMessage, claim: RunClaim) {
      const place = placeOf(tenant)
      const claimed = await place.claim(job, claim)
      if (claimed.kind !== 'run') return claimed
      const { stored, attempt, first } = claimed
      const rest = await readPieces(place, {
        id: job,
        part: 'request',
        from: 1,
        to: stored.requestPieces,
      })
      return { kind: 'run', stored, attempt, request: joined([first, rest]) }
    },
    hold: async ({ tenant, job }, claim) => placeOf(tenant).hold(job, claim),
    async finish({ tenant, job }, { token, end, result }: FinishedRun): Promise<StoredJob | null> {
      const place = placeOf(tenant)
      if (result === null) return place.finish(job, { token, end, pieces: 0, first: null })
      const [first = new Uint8Array(0), ...rest] = cut(result)
      for (const [index, bytes] of rest.entries()) {
        await place.putPiece({ id: job, part: 'result', number: index + 1, bytes })
      }
      return place.finish(job, { token, end, pieces: rest.length + 1, first })
    },
    told: async ({ tenant, job }, round) => placeOf(tenant).told(job, round),

    claimBatch: async ({ tenant, job }, claim) => placeOf(tenant).claimBatch(job, claim),
    readRequest: ({ job, facts, requestPieces }) =>
      readPieces(placeOf(facts.tenant), {
        id: job.id,
        part: 'request',
        from: 0,
        to: requestPieces,
      }),
    sentBatch: async ({ tenant, job }, token, sent) => placeOf(tenant).sentBatch(job, token, sent),
    waitForBatch: async ({ tenant, job }, token) => placeOf(tenant).waitForBatch(job, token),
    endBatch: async ({ tenant, job }, token) => placeOf(tenant).endBatch(job, token),
  }
}

async function submit(place: JobsPlace, submission: JobSubmission): Promise<Submitted> {
  const { job, facts, request, idempotency } = submission
  const [first = new Uint8Array(0), ...rest] = cut(request)
  if (rest.length > 0) {
    const before = await place.begin(job.id, idempotency)
    if (before !== null) return before
    for (const [index, bytes] of rest.entries()) {
      await place.putPiece({ id: job.id, part: 'request', number: index + 1, bytes })
    }
  }
  return place.submit({ job, facts, pieces: rest.length + 1, first, idempotency })
}

interface Pieces {
  readonly id: string
  readonly part: Part
  readonly from: number
  readonly to: number
}

async function readPieces(place: JobsPlace, { id, part, from, to }: Pieces): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  for (let number = from; number < to; number += 1) {
    const piece = await place.readPiece(id, part, number)
    if (piece === null) throw new RangeError(`Cannot read a job's ${part}: a piece is missing`)
    pieces.push(piece)
  }
  return joined(pieces)
}

function cut(bytes: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (let start = 0; start < bytes.byteLength; start += PIECE_BYTES) {
    // A copy: what crosses to an object would take the whole buffer along.
    pieces.push(bytes.slice(start, start + PIECE_BYTES))
  }
  return pieces
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.byteLength
  }
  return whole
}
