import { evictDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeAll, expect, test } from 'vitest'
import { cloudflareJobs } from '../../src/adapters/cloudflare/jobs.ts'
import { describeJobs } from '../contract/jobs.ts'
import { submission, succeeded } from '../support/jobs.ts'
import jobTenants from '../../migrations/0007_jobs.sql?raw'

const open = () => cloudflareJobs({ namespace: env.TENANT_JOBS, db: env.DB, log: () => {} })

beforeAll(async () => {
  await env.DB.exec(jobTenants.replaceAll(/--.*\n/g, '').replaceAll('\n', ' '))
})

describeJobs('Cloudflare', () => ({ jobs: open(), stop: () => {} }))

test('an object that was evicted goes on with what its storage says', async () => {
  const jobs = open()
  const asked = submission({ tenant: 'evicted' })
  const message = { tenant: 'evicted', job: asked.job.id }
  const evict = () => evictDurableObject(env.TENANT_JOBS.getByName('evicted'))
  await jobs.submit(asked)
  await evict()
  expect(await jobs.claim(message, { token: 'a', leaseMs: 60_000 })).toMatchObject({ kind: 'run' })
  await evict()
  expect(await jobs.claim(message, { token: 'b', leaseMs: 60_000 })).toEqual({ kind: 'nothing' })
  await jobs.finish(message, succeeded('a', new Uint8Array([1])))
  await evict()
  expect(await jobs.find('evicted', asked.job.id)).toMatchObject({ job: { status: 'succeeded' } })
})
