// What a batch used is put on its tenant's bill, at half price, when its results are there: once, whoever reads them and
// however often. The ledger knows a bill by its id for hours, and the database that it was made for ever.
import { BatchMeter, type ModelUse } from '../../core/owned/batch-meter.ts'
import type { OwnedObject } from '../../core/owned/owned-object.ts'
import type { Services } from '../../ports.ts'

const RESULTS_TIMEOUT_MS = 600_000
/** By then Claude has thrown the results away. */
const GIVE_UP_MS = 30 * 24 * 3_600_000
/** Nobody has asked for it since it must have ended. */
const LEFT_MS = 26 * 3_600_000
const SWEPT_AT_ONCE = 2

export const newBatchMeter = (): BatchMeter => new BatchMeter(new TextDecoder())

/** Puts it on the bill, and remembers that. Throws where it could not: then it is tried at the next look. */
export async function keepBill(
  { ledgers, owned, now }: Services,
  batch: OwnedObject,
  uses: readonly ModelUse[],
): Promise<void> {
  for (const use of uses) {
    const id = `${batch.id}:${use.model}`
    const usage = {
      ...use,
      requestId: id,
      tenant: batch.tenant,
      key: batch.key,
      user: batch.user,
      at: batch.createdAt,
    }
    await ledgers.settle(batch.tenant, { id, usage, isBatch: true })
  }
  await owned.markBilled(batch.id, now())
}

/** Reads the results for the bill alone. */
export async function billBatch(services: Services, batch: OwnedObject): Promise<void> {
  const { accounts, owned, upstream } = services
  if (await owned.isBilled(batch.id)) return
  const account = (await accounts.usable()).find(({ id }) => id === batch.account)
  if (account === undefined) throw new Error(`The account ${batch.account} is gone`)
  const response = await upstream.send(account, {
    method: 'GET',
    target: `/v1/messages/batches/${batch.id}/results`,
    headers: { 'anthropic-version': '2023-06-01' },
    body: null,
    signal: AbortSignal.timeout(RESULTS_TIMEOUT_MS),
  })
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel()
    throw new Error(`The results answered with status ${response.status}`)
  }
  const meter = newBatchMeter()
  const reader = response.body.getReader()
  for (;;) {
    const { value, done } = await reader.read()
    if (done) break
    meter.push(value)
  }
  await keepBill(services, batch, meter.end())
}

/** For after an answer: never throws. */
export async function billLater(services: Services, batch: OwnedObject): Promise<void> {
  await billBatch(services, batch).catch((error: unknown) =>
    services.log({ event: 'batch_bill_failed', batch: batch.id, error: String(error) }),
  )
}

/** Batches that nobody looked at again are billed too, by and by, when anybody makes one. */
export async function billLeftBatches(services: Services): Promise<void> {
  const { owned, now, log } = services
  const left = await owned.findUnbilled(now() - LEFT_MS, SWEPT_AT_ONCE).catch(() => [])
  for (const batch of left) {
    if (now() - batch.createdAt < GIVE_UP_MS) await billLater(services, batch)
    else {
      log({ event: 'batch_bill_given_up', batch: batch.id, tenant: batch.tenant })
      await owned.markBilled(batch.id, now()).catch(() => {})
    }
  }
}
