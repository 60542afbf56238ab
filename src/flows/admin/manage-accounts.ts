// What an operator does with accounts: add, change, remove, and work their gates by hand. No call is lost by any of it:
// an account leaves only when it takes nothing new anywhere and nothing runs on it.
import type { accountChangeBody, newAccountBody } from '../../core/admin/account-body.ts'
import { type AccountView, showAccount, viewAccounts } from '../../core/admin/account-view.ts'
import { newGate } from '../../core/admission/gate-state.ts'
import { snapshotContext, snapshotGate } from '../../core/admission/snapshot.ts'
import { ACCOUNT_DEFAULTS } from '../../core/answering/account-list.ts'
import type { StoredAccount } from '../../core/answering/account.ts'
import { GatewayError } from '../../core/errors.ts'
import type { GateOperation, Services } from '../../ports.ts'
import type { RequestScope } from '../call.ts'
import type { CredentialSealer } from '../seal-credential.ts'
import type { Plan } from './answer-once.ts'
import type { AdminRequest } from './open-admin.ts'
import type { AccountReader } from './read-accounts.ts'

type Read<R> = R extends (...given: never[]) => infer T ? Exclude<T, undefined> : never
export type NewAccount = Read<typeof newAccountBody>
export type AccountChange = Read<typeof accountChangeBody>

export interface AccountManager {
  plan(admin: AdminRequest, given: NewAccount): Promise<Plan>
  change(admin: AdminRequest, id: string, change: AccountChange): Promise<AccountView>
  remove(admin: AdminRequest, id: string, scope: RequestScope): Promise<void>
  operate(admin: AdminRequest, id: string, operation: GateOperation): Promise<AccountView>
}

/** Calls that chose the account just before an isolate learnt better have reached its gate by then. */
const MARGIN_MS = 500
/** The longest that a DELETE waits for the other isolates to learn that the account drains. */
const LONGEST_WAIT_MS = 15_000

export function createAccountManager(
  services: Services,
  reader: AccountReader,
  sealer: CredentialSealer,
): AccountManager {
  const { config, operations, now } = services

  /** Until nobody, anywhere, can still take the account for one that is not draining. */
  const drainedInMs = ({ stored }: AccountView): number =>
    Math.max(0, (stored?.drainingSince ?? now()) + config.keys.cacheMs + MARGIN_MS - now())

  const changeStored = async (
    { session, write }: AdminRequest,
    view: AccountView,
    { draining, api_key, ...fields }: AccountChange,
  ): Promise<void> => {
    const { id } = view.account
    const owner = { id, baseUrl: view.stored?.baseUrl ?? null }
    const changed = await session.changeAccount(
      id,
      {
        source: view.source,
        fields: {
          weight: fields.weight,
          maxConcurrent: fields.max_concurrent,
          minConcurrent: fields.min_concurrent,
          backup: fields.backup,
          models: fields.models,
        },
        ...(draining === undefined ? {} : { draining }),
        ...(api_key === undefined ? {} : { sealedKey: await sealer.seal(api_key, owner) }),
      },
      write(null),
    )
    if (!changed) throw gone()
    await services.accounts.refresh()
  }

  /** Throws where calls are left. */
  const expectIdle = async (view: AccountView): Promise<void> => {
    const { in_use: inUse, waiting } = await operations.snapshot(view.account)
    const queued = waiting.high + waiting.normal + waiting.low
    if (inUse + queued === 0) return
    const left = `${inUse} ${inUse === 1 ? 'call runs' : 'calls run'} on it and ${queued} wait`
    const advice = view.account.draining
      ? 'it is draining: delete it when they have ended'
      : 'set draining first, and delete it when they have ended'
    throw new GatewayError('account_in_use', `account: ${left}; ${advice}`)
  }

  return {
    async plan({ session }, given) {
      const { id } = given
      if (config.accounts.some((account) => account.id === id)) throw taken()
      const baseUrl = given.base_url ?? null
      const fields = fieldsOf(given)
      expectOrdered(fields.minConcurrent, fields.maxConcurrent)
      const stored: StoredAccount = {
        id,
        baseUrl,
        sealedKey: await sealer.seal(given.api_key, { id, baseUrl }),
        sealedAt: now(),
        locationHint: given.location_hint ?? null,
        fields,
        drainingSince: null,
        createdAt: now(),
      }
      return {
        status: 201,
        body: showNew(services, stored),
        async commit(write) {
          if (!(await session.addAccount(stored, write))) throw taken()
          await services.accounts.refresh()
        },
      }
    },

    async change(admin, id, change) {
      const view = await reader.find(admin.session, id)
      if (change.api_key !== undefined && view.source === 'settings') {
        throw new GatewayError(
          'invalid_request',
          'api_key: the credential of an account of the settings is changed there',
        )
      }
      const { max_concurrent: max, min_concurrent: min } = change
      expectOrdered(min ?? view.account.minConcurrent, max ?? view.account.maxConcurrent)
      await changeStored(admin, view, change)
      return reader.find(admin.session, id)
    },

    async remove(admin, id, scope) {
      let view = await reader.find(admin.session, id)
      if (view.source === 'settings') {
        throw new GatewayError(
          'invalid_request',
          'account: one of the settings cannot be deleted here; take it out of ANTHROPIC_ACCOUNTS, or set draining',
        )
      }
      await expectIdle(view)
      if (!view.account.draining) {
        await changeStored(admin, view, { draining: true })
        view = await reader.find(admin.session, id)
      }
      const waitMs = drainedInMs(view)
      if (waitMs > LONGEST_WAIT_MS) {
        throw new GatewayError(
          'account_in_use',
          'account: it drains, but not every isolate may know yet; delete it a little later',
          { retryAfterMs: waitMs },
        )
      }
      if (waitMs > 0) await sleep(waitMs)
      await expectIdle(view)
      if (!(await admin.session.removeAccount(id, admin.write(null)))) throw gone()
      await services.accounts.refresh()
      // What its gate has learnt is of no use to anyone; where this fails, it is forgotten with the next of its name.
      scope.defer(operations.retire(view.account).catch(() => false))
    },

    async operate(admin, id, operation) {
      const view = await reader.find(admin.session, id)
      await operations.operate(view.account, operation)
      const event = { action: `account.${operation}`, target: id, tenant: null }
      try {
        await admin.session.addEvent({ ...event, before: null, after: null }, admin.write(null))
      } catch (error) {
        // A database that is down must not keep an operator's hands off a gate; its timeline has the change.
        services.log({ event: 'audit_missed', ...event, error: String(error) })
      }
      return view
    },
  }
}

const fieldsOf = (given: NewAccount) => ({
  weight: given.weight ?? ACCOUNT_DEFAULTS.weight,
  maxConcurrent: given.max_concurrent ?? ACCOUNT_DEFAULTS.maxConcurrent,
  minConcurrent: given.min_concurrent ?? ACCOUNT_DEFAULTS.minConcurrent,
  backup: given.backup ?? ACCOUNT_DEFAULTS.backup,
  models: given.models ?? ACCOUNT_DEFAULTS.models,
})

/** Nobody has asked its gate yet, so what it will say is known without asking. */
function showNew({ config }: Services, stored: StoredAccount) {
  const [view] = viewAccounts({
    settings: [],
    stored: [stored],
    unusable: [],
    baseUrl: config.baseUrl,
  })
  if (view === undefined) throw new RangeError('Cannot show an account without a credential')
  const gate = newGate(config.gate, 0)
  return showAccount(view, snapshotGate(gate, snapshotContext(view.account), stored.createdAt))
}

/** Throws unless the least is at most the most. */
function expectOrdered(min: number, max: number): void {
  if (min <= max) return
  throw new GatewayError('invalid_request', 'min_concurrent: expected at most max_concurrent')
}

const taken = (): GatewayError =>
  new GatewayError('invalid_request', 'id: expected one that no other account has')

const gone = (): GatewayError =>
  new GatewayError('not_found', 'account: it is not there any more, or no longer drains')

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
