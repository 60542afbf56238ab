// Claude's files, each its tenant's own: uploaded and read as they come, listed, deleted. Another tenant's is not there.
import { GatewayError } from '../../core/errors.ts'
import { printOwnedList, readOwnedPage } from '../../core/owned/list-page.ts'
import { isOwnedId, type OwnedObject } from '../../core/owned/owned-object.ts'
import type { Caller, Services } from '../../ports.ts'
import { answerSilently } from '../answer-call.ts'
import type { RequestScope } from '../call.ts'
import { chooseAccounts } from '../choose-accounts.ts'
import type { Identifier } from '../identify.ts'
import { keepObject } from './keep-object.ts'
import { type BatchAsk as FileAsk, unknownPlace } from './manage-batches.ts'
import { expectKey, ownedCall } from './owned-call.ts'
import { answerPassed, passOn } from './pass-on.ts'

export class FileManager {
  readonly #services: Services
  readonly #identify: Identifier

  constructor(services: Services, identify: Identifier) {
    this.#services = services
    this.#identify = identify
  }

  async upload({ request, scope }: FileAsk): Promise<Response> {
    const services = this.#services
    const caller = await this.#caller(request, scope)
    if (request.body === null) throw new GatewayError('invalid_request', 'file: Field required')
    const call = this.#call({ request, scope }, caller, { method: 'POST', account: null })
    const accounts = await services.accounts.usable((work) => scope.defer(work))
    const [account] = chooseAccounts(services, call, accounts).candidates
    if (account === undefined) throw new GatewayError('draining', 'Every account is being drained')
    const passed = await passOn(services, call, { account, stream: request.body })
    if (passed.answer.status >= 300) return answerPassed(passed)
    const json = await new Response(passed.body).text()
    await keepObject(services, call, { kind: 'file', account: account.id, json })
    return new Response(json, { status: passed.answer.status, headers: passed.headers })
  }

  async list({ request, scope }: FileAsk, query: Readonly<Record<string, string>>) {
    const { owned, now } = this.#services
    const caller = await this.#caller(request, scope)
    const read = readOwnedPage(query)
    if (read.kind === 'invalid') throw new GatewayError('invalid_request', read.message)
    const listed = await owned.list(caller.tenant, 'file', read.page, now())
    if (listed === null) throw unknownPlace(read.page.afterId === null ? 'before_id' : 'after_id')
    return printOwnedList(listed.objects, listed.hasMore)
  }

  async read(ask: FileAsk): Promise<Response> {
    const { caller, file } = await this.#find(ask)
    const call = this.#call(ask, caller, { method: 'GET', account: file.account })
    const answer = await answerSilently(this.#services, call)
    if (answer.status === 404) ask.scope.defer(this.#services.owned.forget(file.id))
    return answer
  }

  async remove(ask: FileAsk): Promise<Response> {
    const { caller, file } = await this.#find(ask)
    const call = this.#call(ask, caller, { method: 'DELETE', account: file.account })
    const answer = await answerSilently(this.#services, call)
    if (answer.ok || answer.status === 404) await this.#services.owned.forget(file.id)
    return answer
  }

  async content(ask: FileAsk): Promise<Response> {
    const services = this.#services
    const { caller, file } = await this.#find(ask)
    const account = (await services.accounts.usable()).find(({ id }) => id === file.account)
    if (account === undefined) throw unknownFile(file.id)
    const call = this.#call(ask, caller, { method: 'GET', account: account.id })
    return answerPassed(await passOn(services, call, { account }))
  }

  #call(
    { request, scope }: FileAsk,
    caller: Caller,
    about: { readonly method: 'GET' | 'POST' | 'DELETE'; readonly account: string | null },
  ) {
    return ownedCall(this.#services, {
      kind: 'files',
      request,
      scope,
      caller,
      body: null,
      ...about,
    })
  }

  async #caller(request: Request, scope: RequestScope): Promise<Caller> {
    const caller = await this.#identify(request, scope)
    expectKey(caller)
    return caller
  }

  async #find({ request, scope, id = '' }: FileAsk) {
    const caller = await this.#caller(request, scope)
    const file: OwnedObject | null = isOwnedId('file', id)
      ? await this.#services.owned.find(caller.tenant, 'file', id)
      : null
    if (file === null) throw unknownFile(id)
    return { caller, file }
  }
}

const unknownFile = (id: string): GatewayError =>
  new GatewayError('not_found', `File not found: ${id.slice(0, 100)}`)
