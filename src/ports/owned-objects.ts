// Whose a batch or a file at Claude is. Every method throws GatewayError `store_unavailable` when that cannot be asked.
import type { OwnedPage } from '../core/owned/list-page.ts'
import type { OwnedKind, OwnedObject, SeenObject } from '../core/owned/owned-object.ts'

export interface OwnedObjects {
  /** Nothing happens where it is kept already. */
  keep(object: OwnedObject): Promise<void>
  /** Null: nobody's, or another tenant's. */
  find(tenant: string, kind: OwnedKind, id: string): Promise<OwnedObject | null>
  /** The newest first; null: the id of the page is not one of the tenant's. */
  list(tenant: string, kind: OwnedKind, page: OwnedPage, now: number): Promise<OwnedList | null>
  /** As Claude showed it just now; what changes no more stays as it is. */
  see(seen: SeenObject): Promise<void>
  forget(id: string): Promise<void>
  /** Once for each batch. */
  markBilled(id: string, at: number): Promise<void>
  /** Some batches made before then whose bill is open. */
  findUnbilled(before: number, limit: number): Promise<readonly OwnedObject[]>
  isBilled(id: string): Promise<boolean>
  /** Whoever owns them; those that nobody here made are not among them. */
  findOwners(ids: readonly string[]): Promise<readonly ObjectOwner[]>
}

export type ObjectOwner = Pick<OwnedObject, 'id' | 'tenant' | 'account'>

export interface OwnedList {
  readonly objects: readonly OwnedObject[]
  readonly hasMore: boolean
}
