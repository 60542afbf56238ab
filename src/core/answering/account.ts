// Our credential to Claude: one organization or workspace. From the settings, or added while the gateway runs.

export interface Account {
  readonly id: string
  readonly apiKey: string
  readonly baseUrl: string
  readonly weight: number
  readonly maxConcurrent: number
  readonly minConcurrent: number
  readonly backup: boolean
  /** Globs of the models that it serves. */
  readonly models: readonly string[]
  readonly locationHint: string | null
  /** True: its calls finish, and it takes nothing new. */
  readonly draining: boolean
}

/** What an operator may change of an account while it runs; what is not there is as in the settings. */
export interface AccountFields {
  readonly weight?: number
  readonly maxConcurrent?: number
  readonly minConcurrent?: number
  readonly backup?: boolean
  readonly models?: readonly string[]
}

/** An account as its store keeps it: one that was added, or the changes of one of the settings. */
export interface StoredAccount {
  readonly id: string
  /** Null: ANTHROPIC_BASE_URL. */
  readonly baseUrl: string | null
  /** Null: this only changes an account of the settings. */
  readonly sealedKey: string | null
  /** Since when it has this credential; null: it holds none. */
  readonly sealedAt: number | null
  readonly locationHint: string | null
  readonly fields: AccountFields
  /** Epoch ms; null: not draining. */
  readonly drainingSince: number | null
  readonly createdAt: number
}

/** An account that is there but cannot be used, and why. */
export interface UnusableAccount {
  readonly id: string
  readonly problem: string
}
