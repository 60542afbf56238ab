// Claude's batches, each its tenant's own: made, listed, read, canceled, deleted. Another tenant's is not there.
import { mayUseModel } from '../../core/keys/allowed-models.ts'
import { findFileIds } from '../../core/answering/file-references.ts'
import { fieldsOf } from '../../core/answering/usage.ts'
import { GatewayError } from '../../core/errors.ts'
import { printOwnedList, readOwnedPage } from '../../core/owned/list-page.ts'
import {
  isOwnedId,
  type OwnedObject,
  readSeen,
  rewriteResultsUrl,
} from '../../core/owned/owned-object.ts'
import type { Caller, Services } from '../../ports.ts'
import { answerSilently } from '../answer-call.ts'
import type { RequestScope } from '../call.ts'
import type { Identifier } from '../identify.ts'
import { readJsonBody } from '../read-call.ts'
import { Tab } from '../tab.ts'
import { billBatch, billLater, billLeftBatches, keepBill, newBatchMeter } from './bill-batch.ts'
import { keepObject } from './keep-object.ts'
import { expectKey, ownedCall } from './owned-call.ts'
import { answerPassed, passOn } from './pass-on.ts'
import { accountOf, ownersOf } from './pin-to-files.ts'
import { refreshBatches } from './refresh-batches.ts'

export interface BatchAsk {
  readonly request: Request
  readonly scope: RequestScope
  readonly id?: string
}

export class BatchManager {
  readonly #services: Services
  readonly #identify: Identifier

  constructor(services: Services, identify: Identifier) {
    this.#services = services
    this.#identify = identify
  }

  async create({ request, scope }: BatchAsk): Promise<Response> {
    const services = this.#services
    const caller = await this.#caller(request, scope)
    const body = await readJsonBody(services, request)
    expectModels(caller, body)
    const account = await this.#accountOfFiles(caller, body)
    const call = ownedCall(services, {
      kind: 'batches',
      method: 'POST',
      request,
      scope,
      caller,
      body,
      account,
    })
    // A tenant without money makes none; what it costs is billed when it has ended.
    const answer = await answerSilently(services, { ...call, tab: new Tab(services, call) })
    if (!answer.ok) return answer
    const json = await answer.text()
    const made = {
      kind: 'batch',
      account: answer.headers.get('sluice-account') ?? '',
      json,
    } as const
    const id = await keepObject(services, call, made)
    scope.defer(billLeftBatches(services))
    return shown(json, id, request, answer)
  }

  async list({ request, scope }: BatchAsk, query: Readonly<Record<string, string>>) {
    const services = this.#services
    const caller = await this.#caller(request, scope)
    const read = readOwnedPage(query)
    if (read.kind === 'invalid') throw new GatewayError('invalid_request', read.message)
    const listed = await services.owned.list(caller.tenant, 'batch', read.page, services.now())
    if (listed === null) throw unknownPlace(read.page.afterId === null ? 'before_id' : 'after_id')
    const fresh = await refreshBatches(services, scope, listed.objects)
    const { origin } = new URL(request.url)
    const objects = fresh.map(({ id, shown: json }) => ({
      id,
      shown: rewriteResultsUrl(json, id, origin),
    }))
    return printOwnedList(objects, listed.hasMore)
  }

  async read(ask: BatchAsk): Promise<Response> {
    return this.#show(ask, 'GET')
  }

  async cancel(ask: BatchAsk): Promise<Response> {
    return this.#show(ask, 'POST')
  }

  async remove({ request, scope, id = '' }: BatchAsk): Promise<Response> {
    const services = this.#services
    const { caller, batch } = await this.#find(request, scope, id)
    // With it go its results, and with them what it cost.
    if (batch.isFinal) await billBatch(services, batch).catch(notBilled)
    const call = ownedCall(services, {
      kind: 'batches',
      method: 'DELETE',
      request,
      scope,
      caller,
      body: null,
      account: batch.account,
    })
    const answer = await answerSilently(services, call)
    if (answer.ok) await services.owned.forget(id)
    return answer
  }

  /** As they come, and counted on their way where they were not yet. */
  async results({ request, scope, id = '' }: BatchAsk): Promise<Response> {
    const services = this.#services
    const { caller, batch } = await this.#find(request, scope, id)
    const account = (await services.accounts.usable()).find((each) => each.id === batch.account)
    if (account === undefined) throw unknownBatch(id)
    const call = ownedCall(services, {
      kind: 'batches',
      method: 'GET',
      request,
      scope,
      caller,
      body: null,
      account: account.id,
    })
    const passed = await passOn(services, call, { account })
    const isBilled = await services.owned.isBilled(id)
    if (passed.answer.status !== 200 || passed.body === null || isBilled)
      return answerPassed(passed)
    const meter = newBatchMeter()
    const over = Promise.withResolvers<void>()
    scope.defer(over.promise)
    const counting = new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        meter.push(chunk)
        controller.enqueue(chunk)
      },
      // All of it has passed: what is cut is counted at the next look.
      flush: () => {
        scope.defer(
          keepBill(services, batch, meter.end())
            .catch((error: unknown) =>
              services.log({ event: 'batch_bill_failed', batch: id, error: String(error) }),
            )
            .finally(over.resolve),
        )
      },
    })
    const leave = (): void => over.resolve()
    scope.signal.addEventListener('abort', leave)
    return answerPassed({ ...passed, body: passed.body.pipeThrough(counting) })
  }

  async #show({ request, scope, id = '' }: BatchAsk, method: 'GET' | 'POST'): Promise<Response> {
    const services = this.#services
    const { caller, batch } = await this.#find(request, scope, id)
    const call = ownedCall(services, {
      kind: 'batches',
      method,
      request,
      scope,
      caller,
      body: null,
      account: batch.account,
    })
    const answer = await answerSilently(services, call)
    if (answer.status === 404 && method === 'GET') scope.defer(services.owned.forget(id))
    if (!answer.ok) return answer
    const json = await answer.text()
    const seen = readSeen('batch', json)
    if (seen?.id === id) scope.defer(services.owned.see(seen).catch(() => {}))
    if (seen?.hasEnded === true) scope.defer(billLater(services, batch))
    return shown(json, id, request, answer)
  }

  async #caller(request: Request, scope: RequestScope): Promise<Caller> {
    const caller = await this.#identify(request, scope)
    expectKey(caller)
    return caller
  }

  async #find(request: Request, scope: RequestScope, id: string) {
    const caller = await this.#caller(request, scope)
    const batch: OwnedObject | null = isOwnedId('batch', id)
      ? await this.#services.owned.find(caller.tenant, 'batch', id)
      : null
    if (batch === null) throw unknownBatch(id)
    return { caller, batch }
  }

  async #accountOfFiles({ tenant }: Caller, body: Uint8Array): Promise<string | null> {
    const ids = findFileIds(body)
    if (ids === null) throw new GatewayError('invalid_json', 'body: expected JSON in UTF-8')
    if (ids.length === 0) return null
    const owners = await ownersOf(this.#services, ids)
    const foreign = owners.find((owner) => owner.tenant !== tenant)
    if (foreign !== undefined) throw new GatewayError('not_found', `File not found: ${foreign.id}`)
    return accountOf(owners)
  }
}

const unknownBatch = (id: string): GatewayError =>
  new GatewayError('not_found', `Message batch ${id.slice(0, 100)} not found`)

export const unknownPlace = (field: string): GatewayError =>
  new GatewayError('invalid_request', `${field}: expected the id of an entry of this list`)

const notBilled = (cause: unknown): never => {
  const message = 'The results of this batch could not be counted yet: try again'
  throw new GatewayError('upstream_reset', message, { cause })
}

function shown(
  json: string,
  id: string,
  request: Request,
  { status, headers }: Response,
): Response {
  const { origin } = new URL(request.url)
  return new Response(rewriteResultsUrl(json, id, origin), { status, headers })
}

/** A key that is held to models is held to them in a batch as well. */
function expectModels(caller: Caller, body: Uint8Array): void {
  if (caller.models === null) return
  const requests = fieldsOf(parse(body))['requests']
  if (!Array.isArray(requests)) return
  for (const [at, each] of requests.entries()) {
    const model = fieldsOf(fieldsOf(each)['params'])['model']
    if (typeof model === 'string' && mayUseModel(caller, model)) continue
    const name = `requests.${at}.params.model`
    throw new GatewayError('model_not_allowed', `${name}: this key may not use it`)
  }
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body))
  } catch (cause) {
    throw new GatewayError('invalid_json', 'body: expected JSON in UTF-8', { cause })
  }
}
