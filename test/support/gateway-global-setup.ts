// One gateway for all end-to-end tests that need no settings of their own.
import type { TestProject } from 'vitest/node'
import { startTestGateway } from './gateway.ts'

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const gateway = await startTestGateway()
  const { url, adminToken, keys, simulatorUrl, redisUrl, redisToken } = gateway
  project.provide('gateway', { url, adminToken, keys, simulatorUrl, redisUrl, redisToken })
  return gateway.stop
}
