// For a house without jobs: whoever asks for one is told so.
import type { Services } from '../../src/ports.ts'

const none = (): Promise<never> => Promise.reject(new Error('There are no jobs here'))

export const noJobs: Pick<Services, 'jobs' | 'jobRuns' | 'jobBatches' | 'jobDesk'> = {
  jobs: { submit: none, find: none, list: none, readResult: none, cancel: none },
  jobRuns: { claim: none, hold: none, finish: none, told: none },
  jobBatches: {
    claimBatch: none,
    readRequest: none,
    sentBatch: none,
    waitForBatch: none,
    endBatch: none,
  },
  jobDesk: { counts: none, listDead: none, redrive: none, purge: none },
}
