// One config, one project for each place where tests run. `unit` is pure Node; `contract` runs the adapters'
// suites; `workerd` runs the shells inside workerd; `processes` are started and killed; `e2e` drives the whole gateway over HTTP.
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

// End to end with gateways of their own, and long waits for them to come back or to get round to something: two at a time.
const WAITING = [
  'test/e2e/admin/admin.test.ts',
  'test/e2e/jobs/batch.test.ts',
  'test/e2e/jobs/crash.test.ts',
  'test/e2e/metering/durability.test.ts',
  'test/e2e/money/killed.test.ts',
  'test/e2e/sessions/failures.test.ts',
  'test/e2e/sessions/long.test.ts',
]

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          testTimeout: 20_000,
          // Some of them wait for a timer.
          maxWorkers: 3,
        },
      },
      {
        test: {
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        plugins: [
          cloudflareTest({
            // The objects alone: what a doorway does besides is proven end to end.
            main: './test/support/gate-worker.ts',
            wrangler: { configPath: './wrangler.toml' },
            miniflare: {
              bindings: {
                ANTHROPIC_API_KEY: 'sk-ant-test',
                ADMIN_TOKEN: 'test-admin-token-of-some-length-here',
                KEY_PEPPER: 'test-key-pepper-of-some-length-here-',
                SLUICE_KEY_CACHE_MS: '0',
                SLUICE_WEBHOOK_TIMEOUT_MS: '300',
                SLUICE_WEBHOOK_SCHEDULE_SECONDS: '0,0',
              },
            },
          }),
        ],
        test: { name: 'workerd', include: ['test/workerd/**/*.test.ts'], testTimeout: 30_000 },
      },
      {
        test: {
          name: 'runtimes',
          include: ['test/runtimes/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'processes',
          include: ['test/commands/**/*.test.ts', ...WAITING],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          exclude: WAITING,
          globalSetup: ['test/support/gateway-global-setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // The files share one gateway and two cores.
          maxWorkers: 1,
        },
      },
    ],
  },
})
