// The accounts as an operator sees them. A view is put together from the settings, the database and the gate; where the
// database is down it is what this isolate knows, since that is when an operator looks.
import {
  type AccountView,
  showAccount,
  showTimelineEntry,
  viewAccounts,
} from '../../core/admin/account-view.ts'
import { GatewayError } from '../../core/errors.ts'
import type { AdminSession, Listed, Page } from '../../ports/admin.ts'
import type { Services } from '../../ports.ts'
import type { CredentialSealer } from '../seal-credential.ts'

export type ShownAccount = ReturnType<typeof showAccount>

export interface AccountReader {
  /** With their gates, by id. */
  list(session: AdminSession, page: Page): Promise<Listed<ShownAccount>>
  /** Throws `not_found`. */
  find(session: AdminSession, id: string): Promise<AccountView>
  /** Throws `gate_unavailable`. */
  show(view: AccountView): Promise<ShownAccount>
  timeline(view: AccountView, page: Page): Promise<Listed<ReturnType<typeof showTimelineEntry>>>
}

export function createAccountReader(services: Services, sealer: CredentialSealer): AccountReader {
  const { config, operations } = services

  const readAll = async (session: AdminSession): Promise<AccountView[]> => {
    const sources = { settings: config.accounts, baseUrl: config.baseUrl }
    try {
      const { accounts: stored, unreadable } = await session.listAccounts()
      const problems = await Promise.all(
        stored.map(async ({ id, baseUrl, sealedKey }) => {
          if (sealedKey === null) return []
          const opened = await sealer.open(sealedKey, { id, baseUrl })
          return opened.kind === 'opened' ? [] : [{ id, problem: opened.problem }]
        }),
      )
      return viewAccounts({ ...sources, stored, unusable: [...unreadable, ...problems.flat()] })
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      return viewKnown(services)
    }
  }

  return {
    async list(session, { limit, after }) {
      const views = await readAll(session)
      const later = views.filter(({ account }) => after === null || account.id > String(after[0]))
      const shown = later.slice(0, limit)
      const data = await Promise.all(
        shown.map(async (view) => {
          const gate = await operations.snapshot(view.account).catch(() => null)
          return showAccount(view, gate)
        }),
      )
      const last = shown.at(-1)
      const next = later.length > limit && last !== undefined ? [last.account.id] : null
      return { data, next }
    },
    async find(session, id) {
      const view = (await readAll(session)).find(({ account }) => account.id === id)
      if (view !== undefined) return view
      throw new GatewayError('not_found', 'account: there is none with this id')
    },
    async show(view) {
      return showAccount(view, await operations.snapshot(view.account))
    },
    async timeline({ account }, { limit, after }) {
      const before = after === null ? null : Number(after[0])
      const entries = await operations.timeline(account, { limit: limit + 1, before })
      const shown = entries.slice(0, limit)
      const last = shown.at(-1)
      const next = entries.length > limit && last !== undefined ? [last.seq] : null
      return { data: shown.map((entry) => showTimelineEntry(entry)), next }
    },
  }
}

/** What calls use right now. */
async function viewKnown({ accounts, config }: Services): Promise<AccountView[]> {
  const known = await accounts.usable()
  const given = new Set(config.accounts.map(({ id }) => id))
  return viewAccounts({ settings: known, stored: [], unusable: [], baseUrl: config.baseUrl }).map(
    (view) => ({ ...view, source: given.has(view.account.id) ? 'settings' : 'added' }),
  )
}
