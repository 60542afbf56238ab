// Jobs on a runtime's own SQLite and timers: bytes in and out of it, and a call that is cut.
import { expect, test } from 'vitest'
import { jobClient } from '../support/job-client.ts'
import type { Running } from './running.ts'

export function describeJobs(running: Running): void {
  const client = () => jobClient(running.gateway.url, running.world.keys.enterprise)

  test('a job of many pieces is run, and its answer kept as it came', async () => {
    const prompt = `[sim:text=Kept \u00e9] ${'lorem ipsum '.repeat(120_000)}`
    const { status, body } = await client().send({ prompt })
    expect({ status, body }).toMatchObject({ status: 202 })
    const job = await client().ended(body.id)
    expect(job).toMatchObject({ status: 'succeeded', attempts: 1 })
    expect(job.result?.content[0]?.text).toBe('Kept \u00e9')
  })

  test('a job that runs is canceled', async () => {
    const { body } = await client().send({ fault: 'hang', tag: 'canceled job' })
    const { journal } = running.world.simulator
    await journal.wait({ tag: 'canceled job', state: 'arrived' })
    expect((await client().cancel(body.id)).body.status).toBe('canceled')
    const [entry] = await journal.wait({ tag: 'canceled job' })
    expect(entry?.outcome).toBe('aborted')
  })
}
