// Where an owner's webhooks go and what they are signed with, read at most every few seconds.
import type { SecretVersion, WebhookSecrets } from '../../flows/webhooks/webhook-secrets.ts'
import type { WebhookOwner } from './webhook-host.ts'

/** As the database has it. */
export interface StoredOwner extends SecretVersion {
  readonly createdAt: number
  readonly endpoint: string | null
}

export interface FindOwnerOptions {
  readonly secrets: WebhookSecrets
  readonly now: () => number
  readonly cacheMs: number
  /** Null: there is none with this id. Throws where that cannot be asked. */
  readonly read: (owner: string) => Promise<StoredOwner | null>
}

export function createOwnerFinder(
  owner: string,
  { secrets, now, cacheMs, read }: FindOwnerOptions,
): () => Promise<WebhookOwner | null> {
  let known: { readonly at: number; readonly stored: StoredOwner | null } | null = null
  return async () => {
    const at = now()
    if (known === null || at - known.at >= cacheMs || at < known.at) {
      known = { at, stored: await read(owner) }
    }
    const { stored } = known
    if (stored === null) return null
    const identity = { id: owner, createdAt: stored.createdAt }
    return { endpoint: stored.endpoint, secrets: await secrets.of(identity, stored, at) }
  }
}
