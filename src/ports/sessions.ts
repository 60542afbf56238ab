// Where conversations are kept. Every step is atomic: a turn is stored whole, by one step that checks the version that
// was read before, and a session that was not stored leaves nothing.

export interface SessionKey {
  readonly tenant: string
  readonly id: string
  /** Only a session of this end user is seen; null: any of the tenant's. */
  readonly user: string | null
}

export interface TurnClaim {
  /** Makes the session if there is none, for this end user (empty: for none). */
  readonly create: { readonly user: string } | null
  /** Unique to the turn: what it holds the session by. */
  readonly token: string
  readonly idempotencyKey: string | null
}

export type ClaimedTurn =
  | { readonly kind: 'begun'; readonly version: number; readonly text: string | null }
  | { readonly kind: 'missing' }
  /** Another turn is under way. */
  | { readonly kind: 'busy' }
  /** The same turn is: it has the same idempotency key. */
  | { readonly kind: 'in_flight' }
  /** The turn was made before: its answer, and the hash of the body that asked for it. */
  | {
      readonly kind: 'replay'
      readonly bodyHash: string
      readonly answer: string
      readonly turns: number
    }

export interface KeptTurn {
  readonly token: string
  /** The version that was read when the turn began. */
  readonly version: number
  /** The end user whom the session was made for, or empty. */
  readonly user: string
  /** The whole conversation. */
  readonly text: string
  readonly model: string
  /** So that the turn, asked for again, is answered from here. */
  readonly replay: {
    readonly idempotencyKey: string
    readonly bodyHash: string
    readonly answer: string
  } | null
}

export interface StoredSession {
  readonly text: string
  readonly version: number
  readonly user: string
  readonly createdAt: number
  readonly expiresAt: number
}

export interface ListedSession {
  readonly id: string
  readonly turns: number
  readonly model: string
  readonly createdAt: number
  readonly expiresAt: number
}

export interface SessionPage {
  readonly sessions: readonly ListedSession[]
  /** Where the next page begins; null: this is the last. */
  readonly next: string | null
}

/** Every method throws where the store cannot be asked or answers what makes no sense. */
export interface SessionStore {
  claim(key: SessionKey, claim: TurnClaim): Promise<ClaimedTurn>
  /** Keeps the claim alive; false: it is not held any more. */
  hold(key: SessionKey, token: string): Promise<boolean>
  /** Idempotent; does nothing to a turn that was kept or is another's. */
  release(key: SessionKey, token: string): Promise<void>
  /** False: the session went, or another turn was kept since. Ends the claim. */
  keep(key: SessionKey, turn: KeptTurn): Promise<boolean>
  read(key: SessionKey): Promise<StoredSession | null>
  /** False: there was none. */
  remove(key: SessionKey): Promise<boolean>
  /** When it now ends; null: there is none. */
  extend(key: SessionKey, lifeMs: number): Promise<number | null>
  create(
    key: SessionKey,
    session: Pick<StoredSession, 'text' | 'version' | 'user'> & { readonly model: string },
  ): Promise<void>
  list(
    owner: { readonly tenant: string; readonly user: string | null },
    page: { readonly limit: number; readonly from: string | null },
  ): Promise<SessionPage>
}
