// What a monitoring system reads every few seconds: the queues of jobs and the accounts' gates, each asked at that moment. A
// part that does not answer is told so and leaves its figures out: the others are still worth reading.
import type { MetricFamily, Sample } from '../../core/metrics/text-format.ts'
import { renderMetrics } from '../../core/metrics/text-format.ts'
import type { AccountReader, ShownAccount } from './read-accounts.ts'
import { showQueues } from './job-desk.ts'
import type { Services } from '../../ports.ts'

const MOST_ACCOUNTS = 1_000

export async function showMetrics(services: Services, reader: AccountReader): Promise<string> {
  const session = services.admin.open({ from: 'nearest', bookmark: null })
  const [queues, accounts] = await Promise.all([
    orNull(services, 'jobs', showQueues(services)),
    orNull(services, 'accounts', reader.list(session, { limit: MOST_ACCOUNTS, after: null })),
  ])
  return renderMetrics([
    gauge('sluice_part_up', 'Whether a part answered this time.', [
      { labels: { part: 'jobs' }, value: Number(queues !== null) },
      { labels: { part: 'accounts' }, value: Number(accounts !== null) },
    ]),
    ...queueFamilies(queues?.data ?? []),
    ...accountFamilies(accounts?.data ?? []),
  ])
}

async function orNull<T>(
  { log }: Services,
  part: string,
  asking: Promise<T>,
): Promise<Awaited<T> | null> {
  try {
    return await asking
  } catch (error) {
    log({ event: 'metrics_part_failed', part, error: String(error) })
    return null
  }
}

type ShownQueue = Awaited<ReturnType<typeof showQueues>>['data'][number]

function queueFamilies(queues: readonly ShownQueue[]): MetricFamily[] {
  const family = (name: string, help: string, of: (queue: ShownQueue) => number): MetricFamily =>
    gauge(
      `sluice_queue_${name}`,
      help,
      queues.map((queue) => ({ labels: { lane: queue.lane }, value: of(queue) })),
    )
  return [
    family('depth', 'Jobs that wait.', ({ depth }) => depth),
    family('in_flight', 'Jobs that run.', (queue) => queue.in_flight),
    family(
      'oldest_age_seconds',
      'Age of the job that has waited longest; 0 where none waits.',
      (queue) => queue.oldest_age_seconds ?? 0,
    ),
    family('in_per_minute', 'Jobs that came, over five minutes.', (queue) => queue.in_per_minute),
    family(
      'out_per_minute',
      'Jobs that ended, over five minutes.',
      (queue) => queue.out_per_minute,
    ),
    family('dead_letters', 'Jobs that failed for good.', (queue) => queue.dead_letters),
  ]
}

function accountFamilies(accounts: readonly ShownAccount[]): MetricFamily[] {
  // One whose gate did not answer has no state.
  const known = accounts.flatMap((shown) => ('in_use' in shown ? [shown] : []))
  const family = (name: string, help: string, samples: readonly Sample[]): MetricFamily =>
    gauge(`sluice_account_${name}`, help, samples)
  return [
    family(
      'gate_up',
      "Whether the account's gate answered this time.",
      accounts.map((shown) => ({
        labels: { account: shown.id },
        value: Number('in_use' in shown),
      })),
    ),
    family(
      'usable',
      'Whether calls may go to the account now.',
      known.map(({ id, unused }) => ({ labels: { account: id }, value: Number(unused === null) })),
    ),
    family(
      'limit',
      'Calls that its gate lets run at once now.',
      known.map(({ id, limit }) => ({ labels: { account: id }, value: limit })),
    ),
    family(
      'in_use',
      'Calls that run.',
      known.map((shown) => ({ labels: { account: shown.id }, value: shown.in_use })),
    ),
    family(
      'waiting',
      'Calls that wait at its gate.',
      known.flatMap(({ id, waiting }) =>
        Object.entries(waiting).map(([lane, value]) => ({ labels: { account: id, lane }, value })),
      ),
    ),
  ]
}

const gauge = (name: string, help: string, samples: readonly Sample[]): MetricFamily => ({
  name,
  help,
  type: 'gauge',
  samples,
})
