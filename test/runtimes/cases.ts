// What the gateway does on every runtime besides workerd. The application is the same, so only what a runtime can
// spoil is tried here (bytes, streams, signals, processes); the doctor's checks stand for the rest.
import { describe } from 'vitest'
import { describeAdmin } from './admin-cases.ts'
import { describeJobs } from './job-cases.ts'
import { describeLeaving } from './leaving-cases.ts'
import { describeLife } from './life-cases.ts'
import { describeRequests } from './request-cases.ts'
import { useRuntime } from './running.ts'
import type { RuntimeName } from './runtime-process.ts'
import { describeStreams } from './stream-cases.ts'

/** Short, so that a silent stream shows its comments within a test. */
const PING_MS = 300

export function describeRuntime(runtime: RuntimeName): void {
  describe('the gateway', () => {
    const running = useRuntime(runtime, { SLUICE_PING_MS: String(PING_MS) })
    describeRequests(running)
    describeAdmin(running)
    describeJobs(running)
    describeStreams(running)
    describeLeaving(running)
  })
  describeLife(runtime)
}
