// One config, one project for each place where tests run. `unit` is pure Node; `contract` runs the adapters'
// suites; `workerd` runs the shells inside workerd; `commands` starts and stops what npm starts; `e2e` drives the whole gateway over HTTP.
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

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
          name: 'commands',
          include: ['test/commands/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
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
