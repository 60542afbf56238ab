// A tenant's batches, as those see them who send them and ask after them.
import { claimBatch, sentBatch, waitForBatch } from '../../core/jobs/batch.ts'
import { leaveBatch } from '../../core/jobs/machine.ts'
import type { ClaimedBatch, RunClaim, SentBatch } from '../../ports/jobs.ts'
import type { JobJournal } from './job-journal.ts'

export class BatchHost {
  readonly #journal: JobJournal

  constructor(journal: JobJournal) {
    this.#journal = journal
  }

  claim(id: string, asked: RunClaim): ClaimedBatch | null {
    const { batches, store } = this.#journal
    return this.#journal.change((now) => {
      const known = batches.find(id)
      const batch = known === null ? null : claimBatch(known, asked, now)
      if (batch === null) return null
      const jobs = batch.jobs
        .flatMap((each) => store.find(each) ?? [])
        .filter(({ job }) => job.run?.token === id)
      if (jobs.length === 0) {
        // Canceled, expired or called by themselves: nobody waits for it any more.
        batches.remove(id)
        return null
      }
      batches.save(batch)
      return { batch, jobs }
    })
  }

  sent(id: string, token: string, sent: SentBatch): void {
    this.#journal.change((now) => {
      const batch = this.#claimed(id, token)
      if (batch !== null) this.#journal.batches.save(sentBatch(batch, sent, now))
    })
  }

  wait(id: string, token: string): void {
    this.#journal.change((now) => {
      const batch = this.#claimed(id, token)
      if (batch !== null) this.#journal.batches.save(waitForBatch(batch, now))
    })
  }

  /** What has not ended with it is called by itself. */
  end(id: string, token: string): void {
    const { batches, store } = this.#journal
    this.#journal.change((now) => {
      const batch = this.#claimed(id, token)
      if (batch === null) return
      for (const each of batch.jobs) {
        const stored = store.find(each)
        if (stored?.job.run?.token === id)
          this.#journal.keep(stored, leaveBatch(stored.job, now), now)
      }
      batches.remove(id)
    })
  }

  #claimed(id: string, token: string) {
    const batch = this.#journal.batches.find(id)
    return batch?.run?.token === token ? batch : null
  }
}
